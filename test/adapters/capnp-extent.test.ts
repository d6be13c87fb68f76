/** How much a message of Cap'n Proto says that it holds, and what is held to be possible. */
import { Message as Whole } from 'capnp-es'
import { Message } from 'capnp-es/capnp/rpc'
import { describe, expect, it } from 'vitest'
import { checkExtent } from '../../src/adapters/capnp/extent.js'
import { turns, until } from '../support/streams.js'
import { Peer } from './fixtures/generated/capnp-es/peer.js'
import { capnpEsPeer } from './support/capnp-es-peer.js'
import { recordedCalls } from './support/capnp-recorded-calls.js'
import { capnpTsPeer } from './support/capnp-ts-peer.js'

type Word = readonly [low: number, high: number]

/** Of segments of words. */
function framed(...segments: (readonly Word[])[]): Uint8Array {
  const head = [segments.length - 1, ...segments.map(({ length }) => length)]
  if (head.length % 2 === 1) head.push(0)
  return new Uint8Array(Uint32Array.from([...head, ...segments.flat(2)]).buffer)
}

const struct = (offset: number, data: number, pointers: number): Word => [(offset << 2) >>> 0, data | (pointers << 16)]
const list = (offset: number, size: number, length: number): Word => [
  ((offset << 2) | 1) >>> 0,
  (size | (length << 3)) >>> 0,
]
const far = (segment: number, word: number, isDouble = false): Word => [(word << 3) | (isDouble ? 4 : 0) | 2, segment]
const tag = (length: number, data: number, pointers: number): Word => [length << 2, data | (pointers << 16)]

const most = (1 << 29) - 1
const impossible = 'more in it than its bytes can hold'

describe('a message is refused that has', () => {
  it.each([
    ['a list of millions of empty structs', framed([list(0, 7, 0), tag(3_000_000, 0, 0)])],
    ['a list of millions of nothings', framed([list(0, 0, most)])],
    ['a list of structs behind its end', framed([list(0, 7, 1), tag(most, 1, 0), [0, 0]])],
    ['a list of pointers behind its end', framed([list(0, 6, most)])],
    ['a list of bits behind its end', framed([list(0, 1, most)])],
    ['a list of bytes ahead of its beginning', framed([list(-1000, 2, 100_000)])],
    ['such a list in another segment', framed([far(1, 0)], [list(0, 0, most)])],
    ['such a list by two far pointers', framed([far(1, 0, true)], [far(2, 0), list(0, 0, most)], [[0, 0]])],
    ['such a list in a list of structs', framed([list(0, 7, 2), tag(2, 0, 1), [0, 0], list(0, 0, most)])],
    ['such a list in a list of pointers', framed([list(0, 6, 2), [0, 0], list(0, 0, most)])],
  ])('%s', (_what, bytes) => {
    expect(() => checkExtent(bytes)).toThrow(impossible)
  })

  it('lists in which many pointers share what they point to, level by level', () => {
    const [levels, width] = [20, 10]
    const words: Word[] = [list(0, 6, width)]
    for (let level = 1; level < levels; level++) {
      for (let i = 0; i < width; i++) words.push(list(width - 1 - i, 6, width))
    }
    for (let i = 0; i < width; i++) words.push([0, 0])
    expect(() => checkExtent(framed(words))).toThrow(impossible)
  })

  it('a struct that holds itself', () => {
    expect(() => checkExtent(framed([struct(0, 0, 2), struct(-1, 0, 2), struct(-2, 0, 2)]))).toThrow(impossible)
  })

  it('segments longer than itself', () => {
    const bytes = framed([struct(0, 1, 0), [1, 1]])
    new DataView(bytes.buffer).setUint32(4, 100, true)
    expect(() => checkExtent(bytes)).toThrow('longer than it')
  })
})

describe('a message passes that has', () => {
  it.each([
    ['nothing', framed([])],
    ['a null root', framed([[0, 0]])],
    ['a list of 4,000 empty structs', framed([list(0, 7, 0), tag(4000, 0, 0)])],
    ['a list of no elements', framed([list(0, 7, 0), tag(0, 3, 2)])],
    ['a list of as many bits as there is room for', framed([list(0, 1, 64 * 3), [1, 1], [1, 1], [1, 1]])],
    ['a root that lies nowhere', framed([far(7, 0)])],
    ['a root that is behind its end', framed([struct(4000, 0, 1)])],
    ['a far pointer to a far pointer', framed([far(0, 0)])],
    ['a capability', framed([[3, 0]])],
  ])('%s', (_what, bytes) => {
    checkExtent(bytes)
  })

  it('nothing but pointers to structs without room', () => {
    checkExtent(framed([list(0, 6, 20_000), ...Array<Word>(20_000).fill(struct(-1, 0, 0))]))
  })

  it('a list of itself, deeper than a stack', () => {
    checkExtent(framed([...Array<Word>(1_000_000).fill(struct(0, 0, 1)), [0, 0]]))
  })

  it('what the library makes of structs, texts and lists, in segments of its choice', () => {
    const whole = new Whole()
    const call = whole.initRoot(Message)._initCall()
    const params = call._initParams()
    for (const entry of params._initCapTable(1000)) {
      for (const step of entry._initReceiverAnswer()._initTransform(3)) step.getPointerField = 1
    }
    const bytes = new Uint8Array(whole.toArrayBuffer())
    expect(bytes.length).toBeGreaterThan(50_000)
    checkExtent(bytes)
  })
})

describe.each([
  ['capnp-es', capnpEsPeer],
  ['capnp-ts', capnpTsPeer],
])('a call by %s whose params have a list of', (_library, peerOn) => {
  /** Of the method `call`, with that many files, structs without room; and no texts. */
  function withFiles(questionId: number, count: number): Uint8Array {
    const id = Peer.Client.interfaceId
    const callee: Word[] = [
      [questionId, 0],
      [Number(id & 0xffff_ffffn), Number(id >> 32n)],
      [0, 0],
    ]
    const target: Word[] = [
      [0, 0],
      [0, 0],
    ]
    const params: Word[] = [struct(1, 0, 3), [0, 0], [0, 0], [0, 0], list(0, 7, 0), tag(count, 0, 0)]
    const call: Word[] = [...callee, struct(2, 1, 1), struct(3, 0, 2), [0, 0], ...target, ...params]
    return framed([struct(0, 1, 1), [Message.CALL, 0], struct(0, 3, 3), ...call])
  }

  it('more than can be is none for a method: the connection ends', async () => {
    const { peer, stream, errors, running } = await recordedCalls(peerOn)
    peer.send(withFiles(77, 3_000_000))
    await until(() => stream.destroyed, 'the end')
    expect(errors).toMatchObject([{ name: 'RpcError', origin: 'remote', message: expect.stringContaining(impossible) }])
    expect(running.length).toBe(2)
  })

  it('4,000 is one for its method', async () => {
    const { peer, stream, errors, answers } = await recordedCalls(peerOn)
    peer.send(withFiles(77, 4000))
    await until(() => answers.length === 1, 'the answer')
    await turns()
    expect([errors, stream.destroyed]).toEqual([[], false])
  })
})
