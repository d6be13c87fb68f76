/**
 * The scenarios over real sockets, between processes: once each, as the kernel has it.
 */
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { RpcStub } from '../../../src/rpc/index.js'
import { served } from '../../support/rpc-child.js'
import { promised } from '../support/promised.js'
import { type ForwardingVat, Log, Vat } from '../support/vats.js'

const program = fileURLToPath(new URL('../children/vat.ts', import.meta.url))
const many = Array.from({ length: 200 }, (_, i) => i + 1)

describe('Between processes', () => {
  test('calls on a promise, and on what it becomes, arrive in order', async () => {
    const { api } = served<ForwardingVat>(program)
    using promise = api.getLogLater()
    const calls = many.slice(0, 100).map((entry) => promise.add(entry))
    using log = await promise
    calls.push(...many.slice(100).map((entry) => (entry % 2 === 0 ? log.add(entry) : promise.add(entry))))
    expect(await Promise.all(calls)).toEqual(many)
    expect([...(await api.entries)]).toEqual(many)
  })

  test('calls on a promise that becomes the caller’s own wait for those that go round by the peer', async () => {
    const { api } = served<ForwardingVat>(program)
    const log = new Log()
    using mine = new RpcStub(log)
    using promise = api.wrapLater(mine)
    const calls = many.slice(0, 100).map((entry) => promise.list[0].deep.add(entry))
    using whole = await promise
    calls.push(...many.slice(100).map((entry) => whole.list[0].deep.add(entry)))
    await Promise.all(calls)
    expect(log.entries).toEqual(many)
  })

  test('a promise that was passed is resolved to its receiver’s own, and to its sender’s', async () => {
    const { api } = served<ForwardingVat>(program)
    const log = new Log()
    using mine = new RpcStub(log)
    using theirs = await api.getLog()
    for (const stub of [mine, theirs]) {
      using later = await api.later(stub)
      const calls: PromiseLike<number>[] = []
      for (const entry of many) {
        calls.push(later.add(entry))
        if (entry % 20 === 0) await calls.at(-20)
      }
      await Promise.all(calls)
    }
    expect(log.entries).toEqual(many)
    expect([...(await api.entries)]).toEqual(many)
  })

  test('promises of both are resolved to one another’s (the Tribble 4-way race)', async () => {
    const { api } = served<ForwardingVat>(program)
    const carol = new Log()
    using mine = new RpcStub(carol)
    using ofB = await api.later(mine)
    const { stub, resolve } = promised<Log>()
    const used = api.use(stub, ...many.slice(0, 100))
    resolve(ofB.dup())
    await used
    await api.use(stub, ...many.slice(100))
    stub[Symbol.dispose]()
    expect(carol.entries).toEqual(many)
  })

  test('a tail call’s results stay, and are called on before and after', async () => {
    const log = new Vat({ turn: async () => {}, watch: (target) => target }, 'main')
    const { api } = served<ForwardingVat>(program, { main: log })
    using promise = api.logOf()
    const calls = many.slice(0, 100).map((entry) => promise.add(entry))
    using home = await promise
    calls.push(...many.slice(100).map((entry) => home.add(entry)))
    await Promise.all(calls)
    expect(log.log.entries).toEqual(many)
  })

  test('what one has is called by another through the vat between', async () => {
    const { api: b } = served<ForwardingVat>(program)
    const { api: c } = served<ForwardingVat>(program)
    using log = c.getLogLater()
    using known = await c.getLog()
    expect(await b.use(log as never, ...many.slice(0, 100))).toEqual(many.slice(0, 100))
    expect(await b.use(known, ...many.slice(100))).toEqual(many.slice(100))
    expect([...(await c.entries)]).toEqual(many)
  })
})
