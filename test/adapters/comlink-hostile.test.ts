/** What a hostile peer of comlink's is refused. */
import * as Comlink from 'comlink'
import { describe, expect, it, vi } from 'vitest'
import { streamEndpoint } from '../../src/adapters/comlink/index.js'
import { RpcError, sendValue } from '../../src/rpc/index.js'
import type { Descriptor, FrameStream } from '../../src/stream/index.js'
import { named, nameOf, streamPair, until } from '../support/streams.js'
import { call, hostile } from './support/comlink-peer.js'

// biome-ignore lint/suspicious/noExplicitAny: what is exposed is of no interest to the types here
type Anything = any

describe('a hostile peer of comlink', () => {
  it.each(['__proto__', 'constructor', 'prototype', '__defineGetter__', 'hasOwnProperty'])(
    'does not reach %s, wherever it is in the path',
    async (name) => {
      const { streams, answers } = hostile({ deep: { fine: () => 1 }, Class: class {} })
      const paths = [[name], ['deep', name], ['Class', name, 'x'], [name, 'polluted']]
      for (const path of paths) {
        sendValue(streams[1], call(path))
        sendValue(streams[1], [0, { id: 'set', type: 'SET', path, value: { type: 'RAW', value: 1 } }])
        sendValue(streams[1], [0, { id: 'no type', type: 'RAW', path }])
      }
      sendValue(streams[1], call(['deep', 'fine']))
      const all = await answers(paths.length * 2 + 1)
      expect(all.slice(0, -1).map((answer) => answer.name)).toEqual(Array(paths.length * 2).fill('throw'))
      expect(all.at(-1)).toMatchObject({ value: 1 })
      expect(Reflect.has({}, 'polluted')).toBe(false)
    },
  )

  it.each([
    ['of functions', ['f', 'call', 'polluted'], () => Function.prototype.call],
    ['of text', ['deep', 'name', 'trim', 'polluted'], () => String.prototype.trim],
    ['of arrays', ['list', 'push', 'polluted'], () => Array.prototype.push],
    ['of a class', ['made', 'method', 'polluted'], () => Made.prototype.method],
  ])('sets nothing on the methods %s, which the whole process has', async (_whose, path, shared) => {
    const f = Object.freeze((x: number) => x)
    const deep = Object.freeze({ name: 'text' })
    const { streams, answers } = hostile(Object.freeze({ f, deep, list: Object.freeze([1]), made: new Made() }))
    sendValue(streams[1], [0, { id: '1', type: 'SET', path, value: { type: 'RAW', value: 1 } }])
    sendValue(streams[1], [0, { id: '2', type: 'APPLY', path: ['made', 'method'], argumentList: [] }])
    const [set, called] = await answers(2)
    expect(Reflect.has(shared(), 'polluted')).toBe(false)
    expect(set).toMatchObject({ id: '1', name: 'throw' })
    expect(called).toMatchObject({ id: '2', value: 'called' })
  })

  it.each([
    ['a call of the id of one that runs', (id: string) => [0, { id, type: 'APPLY', path: ['fine'], argumentList: [] }]],
    [
      'a call without an id, which a release has',
      () => [0, { id: '', type: 'APPLY', path: ['fine'], argumentList: [] }],
    ],
    ['a release of the id of one that runs', (id: string) => [0, { id, type: 'RELEASE', path: [] }]],
  ])('does not get closed what a method still holds, by %s', async (_what, second) => {
    const held: Descriptor[] = []
    let finish: () => void = () => {}
    const hang = (file: Descriptor) => {
      held.push(file)
      return new Promise<void>((resolve) => {
        finish = resolve
      })
    }
    const { streams } = hostile({ hang, fine: () => 1 })
    using file = named('held')
    sendValue(streams[1], [0, { id: 'x', type: 'APPLY', path: ['hang'], argumentList: [{ type: 'RAW', value: file }] }])
    await until(() => held.length === 1)
    sendValue(streams[1], second('x'))
    sendValue(streams[1], call(['fine']))
    for (let i = 0; i < 10; i++) await new Promise(setImmediate)
    expect(nameOf(held[0] as Descriptor)).toBe('held')
    finish()
    await until(() => held[0]?.closed === true)
  })

  it('is told of calls that comlink cannot read', async () => {
    const { streams, answers } = hostile({ fine: (value: unknown) => value })
    const bad = [
      null,
      7,
      {},
      { type: 'HANDLER', name: 'nobody', value: 1 },
      { type: 'HANDLER', name: 'proxy', value: 5 },
    ]
    for (const value of bad) sendValue(streams[1], call(['fine'], value))
    sendValue(streams[1], [0, { id: 'e', type: 'ENDPOINT' }])
    sendValue(streams[1], [9, { id: 'r', type: 'GET', path: [] }])
    const all = await answers(bad.length + 2)
    // 7 and {} are values to comlink.
    expect(all.filter((answer) => answer.name === 'throw')).toHaveLength(bad.length)
  })

  it.each([
    ['no frame', 7],
    ['no message', [0, null]],
    ['an id that is none', [0, { id: 1, type: 'GET', path: [] }]],
    ['a channel that is none', ['0', { id: '1', type: 'GET', path: [] }]],
    ['a proxy that is nowhere', [0, { id: '1', type: 'APPLY', path: [], argumentList: [] }, [0, 1]]],
    ['a proxy that is numbered as ours', [0, { id: '1', type: 'RAW', value: null }, [0, -1]]],
    ['a proxy at a name', [0, { id: '1', type: 'RAW', value: null }, ['__proto__', 1]]],
    ['a proxy at an index in text', [0, { id: '1', type: 'RAW', value: null }, ['0', 1]]],
    ['a proxy before the first place', [0, { id: '1', type: 'RAW', value: null }, [-1, 1]]],
    ['a proxy between two places', [0, { id: '1', type: 'RAW', value: null }, [0.5, 1]]],
    ['two proxies at one place', [0, { id: '1', type: 'RAW', value: null }, [0, 1, 0, 2]]],
    ['half a proxy', [0, { id: '1', type: 'RAW', value: null }, [0]]],
  ])('ends the stream by %s', async (_what, frame) => {
    const { streams } = hostile({ fine: () => 1 })
    sendValue(streams[1], frame)
    streams[1].on('frame', () => {})
    await expect(streams[0].closed).rejects.toMatchObject({ constructor: RpcError, origin: 'remote' })
  })

  it.each([
    ['what is released here', (remote: Anything) => remote[Comlink.releaseProxy]()],
    [
      'proxies that nobody asked for',
      (_remote: Anything, peer: FrameStream) =>
        sendValue(peer, [0, { id: 'nobody', type: 'RAW', value: null }, [0, 1]]),
    ],
  ])('does not fill the memory with news of %s', async (_what, release) => {
    const [left, right] = streamPair()
    const remote = Comlink.wrap<Anything>(streamEndpoint(left, Comlink, { maxQueued: 1_000_000 }))
    void remote.heard('x'.repeat(4_000_000)).catch(() => {})
    release(remote, right) // which reads nothing
    await expect(left.closed).rejects.toMatchObject({ type: 'overloaded' })
  })

  it('does not fill the memory with calls of what was released', async () => {
    const heard = vi.fn()
    const { streams, answers } = hostile({ heard })
    sendValue(streams[1], [0, { id: 'r', type: 'RELEASE' }])
    await answers(1)
    for (let i = 0; i < 100; i++) sendValue(streams[1], call(['heard']))
    const all = await answers(100)
    expect(all.every((answer) => answer.name === 'throw')).toBe(true)
    expect(heard).not.toHaveBeenCalled()
  })
})

class Made {
  method(): string {
    return 'called'
  }
}
