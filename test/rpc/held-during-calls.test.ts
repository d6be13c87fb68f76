/** What is called lives until the call has ended, whoever lets go of it meanwhile. */
import { expect, test } from 'vitest'
import { MemoryTransport, RpcSession, RpcStub, RpcTarget } from '../../src/rpc/index.js'

class Slow extends RpcTarget {
  readonly log: string[] = []
  goOn = (): void => {}

  async work(): Promise<string> {
    this.log.push('began')
    await new Promise<void>((resolve) => {
      this.goOn = resolve
    })
    this.log.push('ended')
    return 'done'
  }

  [Symbol.dispose](): void {
    this.log.push('disposed')
  }
}

class Main extends RpcTarget {
  readonly slow = new Slow()

  make(): Slow {
    return this.slow
  }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(setImmediate)
}

test('an object whose last stub is disposed of during a call is disposed of behind the call', async () => {
  const [left, right] = MemoryTransport.pair()
  const main = new Main()
  await using client = new RpcSession<Main>(left)
  new RpcSession(right, main)
  using api = client.getRemoteMain()
  const stub = await api.make()
  const working = stub.work()
  stub[Symbol.dispose]()
  const { slow } = main
  await until(() => slow.log.length > 0)
  for (let i = 0; i < 5; i++) await new Promise(setImmediate)
  expect(slow.log).toEqual(['began'])
  slow.goOn()

  expect(await working).toBe('done')
  await until(() => slow.log.length === 3)
  expect(slow.log).toEqual(['began', 'ended', 'disposed'])
})

test('what is called on the promise of an object may let go of the promise at once', async () => {
  const [left, right] = MemoryTransport.pair()
  const main = new Main()
  await using client = new RpcSession<Main>(left)
  new RpcSession(right, main)
  using api = client.getRemoteMain()
  const working = (() => {
    using slow = api.make()
    return slow.work()
  })()
  await until(() => main.slow.log.length > 0)
  for (let i = 0; i < 5; i++) await new Promise(setImmediate)
  main.slow.goOn()

  expect(await working).toBe('done')
  await until(() => main.slow.log.length === 3)
  expect(main.slow.log).toEqual(['began', 'ended', 'disposed'])
})

test('a stub of an object of this thread holds it until the call that was made by it has ended', async () => {
  const slow = new Slow()
  const stub = new RpcStub(slow)
  const working = stub.work()
  stub[Symbol.dispose]()
  await until(() => slow.log.length > 0)
  slow.goOn()

  expect(await working).toBe('done')
  await until(() => slow.log.length === 3)
  expect(slow.log).toEqual(['began', 'ended', 'disposed'])
})
