/**
 * Descriptors that nobody asked for, that are referred to wrongly, or that were lost: each is closed, and at most the call
 * fails. That nothing stays open, the harness checks after each test.
 */
import { fstatSync } from 'node:fs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { callContext, MemoryTransport, RpcSession, RpcTarget } from '../../../src/rpc/index.js'
import { PillionWire } from '../../../src/rpc/wire/pillion-wire.js'
import { Descriptor } from '../../../src/stream/index.js'
import { capOf, content, importedCap, promisedAnswer, type RawPeer, rawPeer } from '../../support/raw-peer.js'

class Main extends RpcTarget {
  received: Descriptor[] = []

  size(...files: Descriptor[]): number[] {
    this.received = files
    return files.map(({ fd }) => fstatSync(fd).size)
  }

  /** Until nobody waits for it any more. */
  wait(): Promise<never> {
    const { signal } = callContext()
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  }

  async callBack(callback: () => Promise<Disposable | null>): Promise<string> {
    const result = await callback()
    result?.[Symbol.dispose]()
    return 'called'
  }
}

const file = (index: unknown) => ({ '\0': [13, index] })

/** Lent ones, closed when the test ends. */
function files(count: number): Descriptor[] {
  return Array.from({ length: count }, (_, i) => {
    const descriptor = Descriptor.memfd(new Uint8Array(i + 1))
    onTestFinished(() => descriptor.close())
    return descriptor
  })
}

async function connected(main = new Main()): Promise<RawPeer> {
  const peer = rawPeer(main)
  await peer.bootstrap()
  return peer
}

describe('the descriptors of a call', () => {
  it('are closed when the call ends', async () => {
    const main = new Main()
    const peer = await connected(main)
    expect(await peer.outcomeOf(peer.call({ method: ['size'], args: [file(0), file(1)] }, files(2)))).toEqual([1, 2])
    expect(main.received.map(({ closed }) => closed)).toEqual([true, true])
  })

  it('are closed, if nothing refers to them', async () => {
    const peer = await connected()
    expect(await peer.outcomeOf(peer.call({ method: ['size'], args: [file(1)] }, files(3)))).toEqual([2])
    expect(await peer.outcomeOf(peer.call({ method: ['size'], args: [] }, files(3)))).toEqual([])
  })

  it('fail the call alone, if they are referred to twice, or out of range', async () => {
    const peer = await connected()
    for (const [args, reason] of [
      [[file(0), file(0)], /descriptor 0 twice/],
      [[file(0), file(2)], /descriptor 2 of 2/],
      [[file(-1)], /descriptor -1/],
      [[file(0.5)], /descriptor 0\.5/],
      [[file('length')], /descriptor length/],
      [[file(0), { '\0': [99] }], /a mark 99|unknown mark/],
    ] as const) {
      expect(await peer.outcomeOf(peer.call({ method: ['size'], args }, files(2)))).toMatch(reason)
    }
    expect(await peer.outcomeOf(peer.call({ method: ['size'], args: [file(0)] }, files(1)))).toEqual([1])
  })

  it('are closed, if the call breaks the protocol', async () => {
    for (const call of [
      { target: importedCap(9) },
      { target: promisedAnswer(9) },
      { capTable: [capOf('receiverHosted', 9)] },
    ]) {
      const peer = await connected()
      peer.call({ ...call, args: [file(0)] }, files(2))
      expect(await peer.aborted()).toMatch(/^failed: there is no/)
    }
    const peer = await connected()
    for (let i = 0; i < 2; i++) peer.call({ questionId: 5, method: ['wait'], args: [file(0)] }, files(1))
    expect(await peer.aborted()).toMatch('question 5 is open already')
  })

  it('are closed, if the call is refused, waits in vain, or ends with the session', async () => {
    const peer = rawPeer(new Main(), { limits: { calls: 2 } })
    await peer.bootstrap()
    const waiting = peer.call({ method: ['wait'], args: [file(0)] }, files(1))
    const behind = peer.call({ target: promisedAnswer(waiting), method: ['size'], args: [file(0)] }, files(1))
    const refused = peer.call({ method: ['size'], args: [file(0)] }, files(1))
    expect(await peer.outcomeOf(refused)).toMatch(/^overloaded/)
    peer.finish(behind)
    expect(await peer.outcomeOf(behind)).toBe('canceled')
  })
})

describe('descriptors where none belong', () => {
  it('are closed, whatever the message', async () => {
    const peer = await connected()
    peer.finish(99)
    peer.send({ type: 'finish', questionId: 99, releaseResultCaps: false }, files(2))
    peer.send({ type: 'ping' }, files(1))
    peer.send({ type: 'resolve', promiseId: 9, resolution: { kind: 'cap', cap: capOf('none', 0) } }, files(1))
    peer.sendBytes(Uint8Array.of(0x63), files(1))
    expect(await peer.outcomeOf(peer.call({ method: ['size'] }))).toEqual([])
    peer.sendBytes(new Uint8Array(0), files(3))
    expect(await peer.aborted()).toMatch('cut short')
  })

  it('are closed in returns: of no question, of canceled ones, and beside an exception', async () => {
    const peer = await connected()
    const asked = peer.call({ method: ['callBack'], args: [{ '\0': [11, 0] }], capTable: [capOf('senderHosted', 5)] })
    const { questionId } = await peer.next((message) => message.type === 'call')
    const exception = { type: 'failed', reason: 'no', detail: new Uint8Array(0) } as const
    const answer = { type: 'return', releaseParamCaps: false, noFinishNeeded: false } as const
    peer.send({ ...answer, answerId: questionId, outcome: { kind: 'exception', exception } }, files(2))
    expect(await peer.outcomeOf(asked)).toBe('failed: no')
    peer.send(
      {
        ...answer,
        answerId: questionId,
        outcome: { kind: 'results', payload: { content: content(file(0)), capTable: [] } },
      },
      files(1),
    )
    expect(await peer.aborted()).toMatch('is not open')
  })

  it('are closed in results that nobody takes, and in those that cannot be', async () => {
    for (const [value, capTable, outcome] of [
      [file(0), [], 'called'],
      [{ '\0': [99] }, [], /a value that cannot be/],
      [null, [], 'called'],
    ] as const) {
      const peer = await connected()
      const asked = peer.call({ method: ['callBack'], args: [{ '\0': [11, 0] }], capTable: [capOf('senderHosted', 5)] })
      const { questionId } = await peer.next((message) => message.type === 'call')
      const payload = { content: content(value), capTable }
      peer.send(
        {
          type: 'return',
          answerId: questionId,
          releaseParamCaps: false,
          noFinishNeeded: false,
          outcome: { kind: 'results', payload },
        },
        files(2),
      )
      const came = await peer.outcomeOf(asked)
      if (typeof outcome === 'string') expect(came).toBe(outcome)
      else expect(came).toMatch(outcome)
    }
  })

  it('are closed, if results name a capability that is none', async () => {
    const peer = await connected()
    peer.call({ method: ['callBack'], args: [{ '\0': [11, 0] }], capTable: [capOf('senderHosted', 5)] })
    const { questionId } = await peer.next((message) => message.type === 'call')
    const payload = { content: content(file(0)), capTable: [capOf('senderHosted', 6), capOf('receiverHosted', 9)] }
    peer.send(
      {
        type: 'return',
        answerId: questionId,
        releaseParamCaps: false,
        noFinishNeeded: false,
        outcome: { kind: 'results', payload },
      },
      files(2),
    )
    expect(await peer.aborted()).toMatch('there is no export 9')
  })
})

describe('a descriptor that was lost on the way', () => {
  it('fails its call alone, if the call refers to it', async () => {
    const [ours, theirs] = MemoryTransport.pair()
    const wire = new PillionWire()
    const returned: unknown[] = []
    // As the kernel would: what is behind the first is lost.
    const lossy = Object.create(theirs, {
      start: {
        value: (receiver: Parameters<typeof theirs.start>[0]) =>
          theirs.start({
            onFrame: (payload, descriptors) => {
              for (const descriptor of descriptors.slice(1)) descriptor.close()
              receiver.onFrame(payload, descriptors.slice(0, 1), Math.max(0, descriptors.length - 1))
            },
            onBatchEnd: () => receiver.onBatchEnd(),
            onEnd: (error) => receiver.onEnd(error),
          }),
      },
      ...Object.fromEntries(
        (['send', 'close', 'ref', 'unref'] as const).map((name) => [name, { value: theirs[name].bind(theirs) }]),
      ),
      carriesDescriptors: { value: true },
      maxDescriptors: { value: 100 },
      maxPayload: { value: 1e6 },
      queuedBytes: { value: 0 },
      peer: { value: undefined },
    }) as MemoryTransport
    const session = new RpcSession(lossy, new Main())
    ours.start({
      onFrame: (payload) => {
        const message = wire.decode(payload)
        if (message.type === 'return')
          returned.push(message.outcome.kind === 'exception' ? message.outcome.exception.reason : message.outcome.kind)
      },
      onBatchEnd: () => {},
      onEnd: () => {},
    })
    const send = (questionId: number, args: unknown): void => {
      const params = { content: content(args), capTable: [] }
      const head = wire.encode({
        type: 'call',
        questionId,
        target: importedCap(0),
        mode: 'call',
        method: ['size'],
        params,
        noPromisePipelining: true,
        onlyPromisePipeline: false,
        sendResultsTo: 'caller',
        deadline: 0,
        trace: undefined,
      })
      ours.send(
        head,
        [params.content],
        files(2).map((descriptor) => descriptor.dup()),
      )
    }
    ours.send(wire.encode({ type: 'bootstrap', questionId: 0 }), [], [])
    send(1, [file(0), file(1)])
    send(2, [file(0)])
    await expect
      .poll(() => returned)
      .toEqual(['results', expect.stringContaining('descriptor 1 of the message was lost'), 'results'])
    await session.close()
  })
})
