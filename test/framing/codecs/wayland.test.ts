import { describe, expect, it } from 'vitest'
import {
  DescriptorLostError,
  DescriptorMismatchError,
  FrameEncoder,
  FrameTooLargeError,
  frameLimits,
  ProtocolError,
  TooManyDescriptorsError,
  UsageError,
  wayland,
} from '../../../src/framing/index.js'
import { FramingReceiver, type ReceivedMessage, readAll, readInEveryWay } from '../../../src/framing/testing/index.js'
import { waylandMessage } from '../../support/messages.js'
import { refusalOf } from './refusals.js'

/** The opcode is the count. */
const codec = wayland((_object, opcode) => opcode)
const limits = frameLimits({}, codec)
const plain = waylandMessage(1, 0, 1)
const one = waylandMessage(2, 1)
const two = waylandMessage(3, 2)

function send(fds: readonly number[], ...messages: readonly Uint8Array[]) {
  return { bytes: Buffer.concat(messages), fds }
}

function making(object: number): Uint8Array {
  const message = waylandMessage(7, 5, 1)
  Buffer.from(message.buffer, message.byteOffset).writeUInt32LE(object, 8)
  return message
}

function using(object: number): Uint8Array {
  return waylandMessage(object, 6)
}

function fdsOf(outcome: { frames: readonly { fds: readonly number[] }[] }): number[][] {
  return outcome.frames.map(({ fds }) => [...fds])
}

describe('wayland()', () => {
  it('gives descriptors in order to the messages that take them, though they come earlier', () => {
    const early = [send([1, 2, 3], plain), send([], one, plain, two)]
    for (const outcome of readInEveryWay(early, { codec, limits })) {
      expect(outcome.error, outcome.way).toBeUndefined()
      expect(fdsOf(outcome), outcome.way).toEqual([[], [1], [], [2, 3]])
    }
  })

  it('gathers the descriptors of one message from two sets', () => {
    const sends = [send([1], plain, two.subarray(0, 3)), send([2], two.subarray(3), one), send([3], plain)]
    const outcome = readAll(sends.slice(0, 2), { size: () => 1 << 20 }, { codec, limits })
    expect(fdsOf(outcome)).toEqual([[], [1, 2]])
    expect(outcome.error).toBeInstanceOf(DescriptorMismatchError)
  })

  it('keeps what is left over for the next message that takes any', () => {
    const sends = [send([1, 2], one, plain), send([3], two)]
    for (const outcome of readInEveryWay(sends, { codec, limits })) {
      expect(fdsOf(outcome), outcome.way).toEqual([[1], [], [2, 3]])
    }
  })

  it('takes nothing from a recvmsg that began behind the message, though it came in the same wake-up', () => {
    const receiver = new FramingReceiver(codec, limits, 32 * 1024)
    const next: ReceivedMessage = { bytes: one, set: { fds: [7], truncated: false } }
    receiver.take([{ bytes: Buffer.concat([plain, one]), set: undefined }, next], true)
    receiver.finish()

    expect(receiver.frames.map(({ fds }) => fds)).toEqual([[]])
    expect(receiver.error).toMatchObject({ name: 'DescriptorMismatchError', position: plain.length })
    expect(receiver.closed).toEqual([7])
  })

  it('cannot tell that a descriptor is the next message’s if the two came with one recvmsg, and ends there', () => {
    const receiver = new FramingReceiver(codec, limits, 32 * 1024)
    receiver.take([{ bytes: Buffer.concat([one, one]), set: { fds: [7], truncated: false } }], true)

    expect(receiver.frames.map(({ fds }) => fds)).toEqual([[7]])
    expect(receiver.error).toMatchObject({ name: 'DescriptorMismatchError', position: one.length })
  })

  it('refuses a message whose descriptors come behind its last byte', () => {
    const receiver = new FramingReceiver(codec, limits, 32 * 1024)
    receiver.take([{ bytes: Buffer.concat([plain, one]), set: undefined }], true)
    expect(receiver.error).toMatchObject({ name: 'DescriptorMismatchError', position: 12 })
    expect(receiver.error?.message).toContain('takes 1 descriptors and 0 arrived')

    const late = new FramingReceiver(codec, limits, 32 * 1024)
    const messages: ReceivedMessage[] = [
      { bytes: two, set: { fds: [1], truncated: false } },
      { bytes: plain, set: { fds: [2], truncated: false } },
    ]
    late.take(messages, true)
    expect(late.error).toBeInstanceOf(DescriptorMismatchError)
    expect(late.frames).toEqual([])
    late.finish()
    expect(late.closed.sort()).toEqual([1, 2])
  })

  it('reports what one message has lost, and ends where the next one takes any', () => {
    const receiver = new FramingReceiver(codec, limits, 32 * 1024)
    receiver.take([{ bytes: Buffer.concat([one, two]), set: { fds: [1, 2], truncated: true } }], true)
    receiver.take([{ bytes: plain, set: { fds: [3], truncated: false } }], true)
    expect(receiver.frames).toMatchObject([{ fds: [1] }, { fds: [2], lost: 1 }, { fds: [] }])
    expect(receiver.error).toBeUndefined()
    expect(receiver.closed).toEqual([3])

    receiver.take([{ bytes: one, set: undefined }], true)
    expect(receiver.error).toBeInstanceOf(DescriptorLostError)
    expect(receiver.frames.length).toBe(3)
  })

  it('holds no more descriptors than a message and a set may have', () => {
    const receiver = new FramingReceiver(codec, limits, 32 * 1024)
    for (let i = 0; i < 10; i++) {
      receiver.take(
        [{ bytes: plain, set: { fds: Array.from({ length: 28 }, (_, k) => 28 * i + k), truncated: false } }],
        true,
      )
    }
    expect(receiver.error).toBeUndefined()
    receiver.take([{ bytes: plain, set: { fds: [280, 281], truncated: false } }], true)
    expect(receiver.error).toBeInstanceOf(DescriptorMismatchError)
    receiver.finish()
    expect(receiver.closed.length).toBe(282)
  })

  it('asks for the count of each incoming message once, and never of those it sends', () => {
    const asked: number[][] = []
    const counted = wayland((object, opcode) => {
      asked.push([object, opcode])
      return 0
    })
    new FrameEncoder(counted, limits).check(waylandMessage(9, 9), 1)
    readAll([send([], plain, waylandMessage(7, 5, 2))], { size: () => 1, wakeUp: () => 1 }, { codec: counted, limits })
    expect(asked).toEqual([
      [1, 0],
      [7, 5],
    ])
  })

  it.each([1, 5, 1 << 20])('shows the count each message whole, ahead of the next, in reads of %s bytes', (size) => {
    // Opcode 5 makes the object that is its argument; opcode 6 of such an object alone bears a descriptor.
    const made = new Set<number>()
    const following = wayland((object, opcode, message) => {
      if (opcode === 5) made.add(Buffer.from(message).readUInt32LE(8))
      return opcode === 6 && made.has(object) ? 1 : 0
    })
    const sends = [send([1], using(8), making(8), using(9), using(8), plain)]
    const outcome = readAll(sends, { size: () => size }, { codec: following, limits })
    expect(fdsOf(outcome)).toEqual([[], [], [], [1], []])
    expect(outcome.error).toBeUndefined()
  })

  it.each([
    [
      'a size below the header',
      waylandMessage(1, 0, 0, 4),
      "a message has the size 4, expected its header's 8 at least",
    ],
    ['a size of 0', waylandMessage(1, 0, 0, 0), "a message has the size 0, expected its header's 8 at least"],
    ['an unaligned size', waylandMessage(1, 0, 1, 10), 'a message has the size 10, expected a multiple of 4'],
    ['the null object', waylandMessage(0, 0), 'a message is of object 0, which is none'],
  ])('refuses %s', (_what, bad, message) => {
    const error = refusalOf({ codec, good: plain, bad })
    expect(error).toBeInstanceOf(ProtocolError)
    expect(error.message).toBe(`${message} (at byte 12 of the stream)`)
  })

  it('refuses what libwayland could not take, either way', () => {
    const encoder = new FrameEncoder(codec, frameLimits({ maxPayload: 60_000, maxDescriptors: 100 }, codec))
    expect(encoder.check(waylandMessage(1, 0, 1022), 28)).toBe(4096)
    expect(() => encoder.check(waylandMessage(1, 0, 1023), 0)).toThrow(FrameTooLargeError)
    expect(() => encoder.check(plain, 29)).toThrow(TooManyDescriptorsError)
    expect(refusalOf({ codec, good: plain, bad: waylandMessage(1, 0, 0, 4100) })).toBeInstanceOf(FrameTooLargeError)
    expect(refusalOf({ codec, good: plain, bad: waylandMessage(1, 29) })).toBeInstanceOf(TooManyDescriptorsError)
    const large = readAll(
      [send([], waylandMessage(1, 0, 2000))],
      { size: () => 99 },
      { codec, limits: { ...limits, maxPayload: 10_000 } },
    )
    expect(large.frames.length).toBe(1)
  })

  it('sends whole messages alone', () => {
    const encoder = new FrameEncoder(codec, limits)
    for (const wrong of [plain.subarray(0, 8), Buffer.concat([plain, plain]), Buffer.alloc(4), waylandMessage(0, 0)]) {
      expect(() => encoder.check(wrong, 0)).toThrow(UsageError)
    }
  })

  it('ends in the error of whoever counts wrongly', () => {
    const wrong = wayland(() => -1)
    const { error } = readAll([send([], plain)], { size: () => 99 }, { codec: wrong, limits })
    expect(error).toBeInstanceOf(UsageError)
    expect(() => wayland(undefined as never)).toThrow(UsageError)
  })
})
