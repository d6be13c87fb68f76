/**
 * A call that nobody waits for any more (rpc.capnp: Finish before Return, Return before Finish, `canceled`).
 */
import { describe, expect, test, vi } from 'vitest'
import { callContext, RpcStub } from '../../../src/rpc/index.js'
import { explore } from '../support/explore.js'
import { type Network, Watched } from '../support/network.js'
import { promised } from '../support/promised.js'
import { disposeAll, Log, Vat } from '../support/vats.js'

// Hundreds of runs each, on machines that do other things as well.
vi.setConfig({ testTimeout: 120_000 })

describe('A call that is canceled leaves nothing behind, whenever messages arrive,', () => {
  test('before, while and after it returns', async () => {
    await explore(async (network) => {
      const vat = new Vat(network, 'b')
      const [a] = network.connect('a', {}, 'b', vat)
      using main = a.main<Vat>()
      const promise = main.getLogLater()
      const call = promise.add(1)
      await network.turn('a')
      disposeAll(promise, call)
      await network.turn('a')
      await main.echo(0)
    })
  })

  test('with arguments and results that hold capabilities', async () => {
    await explore(async (network) => {
      const log = network.watch(new Log(), 'log')
      const [a] = network.connect('a', {}, 'b', new Vat(network, 'b'))
      using main = a.main<Vat>()
      using mine = new RpcStub(log)
      const promise = main.wrapLater(mine)
      const call = promise.list[0].deep.add(1)
      await network.turn('a')
      disposeAll(promise, call)
    })
  })

  test('while it waits for a promise among its arguments that never comes', async () => {
    await explore(async (network) => {
      const [a] = network.connect('a', {}, 'b', new Vat(network, 'b'))
      using main = a.main<Vat>()
      const never = main.forever()
      const call = main.echo(never)
      const seen = main.echo([1, { never: call }])
      await network.turn('a')
      disposeAll(seen, call, never)
    })
  })

  test('when its method waits for another vat, and is told by its signal', async () => {
    await explore(async (network) => {
      const far = network.watch(new Far(network), 'far')
      const near = network.watch(new Near(), 'near')
      const [a] = network.connect('a', {}, 'b', near)
      const [b] = network.connect('b', {}, 'c', far)
      using farMain = b.main<Far>()
      near.far = farMain
      using main = a.main<Near>()
      using kept = new RpcStub(network.watch(new Log(), 'argument'))
      const call = main.pass(kept)
      await network.turn('a')
      call[Symbol.dispose]()
      await network.turn('a')
      network.atEnd(() => expect(far.ended).toBe(far.started))
    })
  })

  test('when its method returns what it waits for only afterwards', async () => {
    await explore(async (network) => {
      const [a] = network.connect('a', {}, 'b', new Vat(network, 'b'))
      using main = a.main<Vat>()
      using mine = new RpcStub(network.watch(new Log(), 'log'))
      const { stub, reject } = promised<Log>()
      const call = main.use(stub, 1)
      const other = main.echoLater(mine)
      await network.turn('a')
      disposeAll(call, other)
      await network.turn('a')
      reject('too late')
      stub[Symbol.dispose]()
    })
  })
})

class Near extends Watched {
  far: RpcStub<Far> | undefined

  pass(log: RpcStub<Log>) {
    return (this.far as RpcStub<Far>).wait(log)
  }
}

class Far extends Watched {
  started = 0
  ended = 0
  readonly #network: Network

  constructor(network: Network) {
    super()
    this.#network = network
  }

  async wait(log: RpcStub<Log>): Promise<void> {
    this.started++
    const { signal } = callContext()
    using _held = log.dup()
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
    this.ended++
    await this.#network.turn('c')
  }
}
