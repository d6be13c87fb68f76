/**
 * What a tail call looks like on its way (rpc.capnp: `takeFromOtherQuestion`, `resultsSentElsewhere`); and that what comes
 * home is called at home.
 */
import { expect, test } from 'vitest'
import { RpcStub } from '../../../src/rpc/index.js'
import { by, once } from '../support/explore.js'
import { Log, Vat, Watched } from '../support/vats.js'

class Forwarder extends Watched {
  other: RpcStub<Vat> | undefined

  echoOf(value: string) {
    return (this.other as RpcStub<Vat>).echo(value)
  }
}

test('A tail call leaves the results where they are', async () => {
  await once(async (network) => {
    const vatB = network.watch(new Forwarder(), 'vat b')
    const [a, b] = network.connect('a', new Vat(network, 'a'), 'b', vatB)
    using other = b.main<Vat>()
    vatB.other = other
    using main = a.main<Forwarder>()
    expect(await main.echoOf('x'.repeat(1000))).toBe('x'.repeat(1000))
    const back = network.sent.filter(({ message }) => message.type === 'return').slice(-2)
    expect(back.map(({ way }) => way).sort()).toEqual(['a>b', 'b>a'])
    for (const { message } of back) {
      expect(message).toMatchObject({
        outcome: { kind: expect.stringMatching(/^(takeFromOtherQuestion|resultsSentElsewhere)$/) },
      })
    }
  }, by([]))
})

test('What came through two sessions comes home and is called there, without a message', async () => {
  await once(async (network) => {
    const vatB = new Vat(network, 'b')
    const [ab] = network.connect('a', new Vat(network, 'a'), 'b', vatB)
    const [bc] = network.connect('b', vatB, 'c', new Vat(network, 'c'))
    using toB = ab.main<Vat>()
    using toC = bc.main<Vat>()
    await toB.keep(toC as never)
    using c = (await toB.takeKept()) as unknown as RpcStub<Vat>
    using mine = new RpcStub(network.watch(new Log(), 'log of a'))
    for (const far of [toB, c]) {
      using home = (await far.echo(mine)) as RpcStub<Log>
      await network.turn('a')
      const before = network.sent.length
      expect(await home.add(1)).toBe(1)
      expect(network.sent.length).toBe(before)
    }
  }, by([]))
})
