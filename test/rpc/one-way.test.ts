/** Calls that are never returned: served to their end all the same, and canceled when the session ends. */
import { expect, it } from 'vitest'
import { callContext, MemoryTransport, RpcSession, RpcTarget } from '../../src/rpc/index.js'
import { PillionWire } from '../../src/rpc/wire/pillion-wire.js'
import { until } from '../support/streams.js'

class Log extends RpcTarget {
  signal: AbortSignal | undefined
  leave: (() => void) | undefined
  ended = 0

  async write(): Promise<void> {
    this.signal = callContext().signal
    await new Promise<void>((resolve) => {
      this.leave = resolve
    })
    this.ended++
  }
}

async function writing() {
  const [peer, transport] = MemoryTransport.pair()
  const log = new Log()
  const session = new RpcSession(transport, log)
  const answers: string[] = []
  const wire = new PillionWire()
  peer.start({
    onFrame: (bytes) => void answers.push(wire.decode(bytes).type),
    onBatchEnd: () => {},
    onEnd: () => {},
  })
  peer.send(wire.encode({ type: 'bootstrap', questionId: 0 }), [], [])
  await until(() => answers.length === 1)
  const head = wire.encode({
    type: 'call',
    questionId: 0,
    target: { kind: 'promisedAnswer', id: 0, transform: [] },
    mode: 'call',
    method: ['write'],
    params: { content: new Uint8Array([0x90]), capTable: [] },
    noPromisePipelining: true,
    onlyPromisePipeline: true,
    sendResultsTo: 'caller',
    deadline: 0,
    trace: undefined,
  })
  peer.send(head, [new Uint8Array([0x90])], [])
  await until(() => log.leave !== undefined)
  return { session, log, answers }
}

it('runs to its end without being canceled, and nothing comes back', async () => {
  const { session, log, answers } = await writing()
  expect(log.signal?.aborted).toBe(false)
  log.leave?.()
  await session.drain()
  expect({ ended: log.ended, answers }).toEqual({ ended: 1, answers: ['return'] })
  await session.close()
})

it('is canceled when the session ends', async () => {
  const { session, log } = await writing()
  await session.close()
  expect(log.signal?.aborted).toBe(true)
  log.leave?.()
  await until(() => log.ended === 1)
})
