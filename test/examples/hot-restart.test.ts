/** Restarts under load lose nothing, and the example would say so if they did. */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { connect, type Descriptor, pair } from 'pillion'
import { RpcSession, RpcTarget } from 'pillion/rpc'
import { expect, onTestFinished, test } from 'vitest'
import { decodeAnswer, encodeRequest } from '../../examples/hot-restart/protocol.js'
import { Service } from '../../examples/hot-restart/service.js'
import { type Ended, runTogether } from './program.js'

const minute = 60_000

test('three restarts under load: no request fails, every connection moves, nothing leaks', {
  timeout: minute,
}, async () => {
  const connections = 20
  const { status, stdout, stderr } = await runMain(['--connections', String(connections)])
  const counts = tableOf(stdout)

  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout).toContain('Nothing failed.')
  expect(counts).toMatchObject({ failures: 0, restarts: 3, leaked: 0 })
  expect(counts['descriptors handed over']).toBeGreaterThanOrEqual(3 * (connections + 1)) // and a short one, at times
  expect(counts.requests).toBeGreaterThanOrEqual(4 * 200) // some before, between and behind the restarts
  expect(counts['short connections']).toBeGreaterThan(0)
})

test('a connection whose state was lost on the way is counted, with exit code 1', { timeout: minute }, async () => {
  const { status, stdout } = await runMain(['--connections', '3', '--restarts', '1', '--forget'])

  expect(stdout.slice(stdout.indexOf('FAILED:'))).toMatch(/connection \d: request \d+ was counted as 1\n/)
  expect(tableOf(stdout)).toMatchObject({ failures: 3, restarts: 1 })
  expect(status).toBe(1)
})

class Incapable extends RpcTarget {
  readonly #what: string

  constructor(what: 'listen' | 'adopt') {
    super()
    this.#what = what
  }

  async listen(_listening: Descriptor): Promise<void> {
    if (this.#what === 'listen') throw new Error('no listening')
  }

  adopt(_connection: Descriptor): void {
    throw new Error('no connections')
  }
}

test.each(['listen', 'adopt'] as const)(
  'a successor that cannot %s leaves the connections where they were',
  async (what) => {
    const folder = mkdtempSync('/tmp/pillion-restart-')
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const service = new Service(1)
    await service.listen(join(folder, 's'))
    const client = await connect(join(folder, 's'))
    const answers = client[Symbol.asyncIterator]()
    const ask = async (sequence: number) => {
      client.send(encodeRequest(sequence, 10))
      const { value } = await answers.next()
      return decodeAnswer(value!.payload)
    }
    expect(await ask(0)).toEqual({ sequence: 0, served: 1, generation: 1 })

    const [ours, theirs] = pair()
    const session = new RpcSession<Incapable>(ours)
    const successor = new RpcSession(theirs, new Incapable(what))
    using stub = session.getRemoteMain()
    await expect(service.handOver(stub as never)).rejects.toThrow(what === 'listen' ? 'no listening' : 'no connections')

    expect(await ask(1)).toEqual({ sequence: 1, served: 2, generation: 1 })
    await client.end()
    expect((await answers.next()).done).toBe(true)
    await service.close()
    await session.close()
    await successor.closed
  },
)

function runMain(args: readonly string[]): Promise<Ended> {
  return runTogether('hot-restart', ['main', 'server', 'load'], args)
}

function tableOf(output: string): Record<string, number> {
  const [, names = '', numbers = ''] = output.match(/^( *requests .*)\n(.*)$/m) ?? []
  const cells = numbers.trim().split(/\s{2,}/)
  const columns = names.trim().split(/\s{2,}/)
  return Object.fromEntries(columns.map((name, i) => [name, Number(cells[i]?.replaceAll(',', ''))]))
}
