import { describe, expect, it } from 'vitest'
import { FrameEncoder, frameLimits, raw, UsageError } from '../../../src/framing/index.js'
import { FramingReceiver, type ReceivedMessage, readInEveryWay } from '../../../src/framing/testing/index.js'

const limits = frameLimits()

function message(text: string, fds?: readonly number[]): ReceivedMessage {
  return { bytes: Buffer.from(text), set: fds === undefined ? undefined : { fds, truncated: false } }
}

function seen(receiver: FramingReceiver): unknown[] {
  return receiver.frames.map(({ payload, fds }) => [Buffer.from(payload).toString(), ...fds])
}

describe('raw()', () => {
  it('makes a frame of each recvmsg, with its set if it returned one', () => {
    const receiver = new FramingReceiver(raw(), limits, 32 * 1024)
    receiver.take([message('ab'), message('cd', [1]), message('ef', [2, 3]), message('g'), message('h')], true)
    receiver.take([message('i')], true)

    expect(seen(receiver)).toEqual([['ab'], ['cd', 1], ['ef', 2, 3], ['g'], ['h'], ['i']])
    expect(receiver.finish()).toBeUndefined()
  })

  it('cuts what is longer than the limit', () => {
    const receiver = new FramingReceiver(raw(), frameLimits({ maxPayload: 3 }), 32 * 1024)
    receiver.take([message('abcdefgh', [1]), message('ijk')], true)

    expect(seen(receiver)).toEqual([['abc'], ['def'], ['gh', 1], ['ijk']])
  })

  it('never ends inside a frame', () => {
    for (const { error, frames, way } of readInEveryWay([{ bytes: Buffer.alloc(100), fds: [4] }], {
      codec: raw(),
      limits,
    })) {
      expect(error, way).toBeUndefined()
      expect(
        frames.flatMap(({ fds }) => fds),
        way,
      ).toEqual([4])
      expect(
        frames.reduce((sum, { payload }) => sum + payload.length, 0),
        way,
      ).toBe(100)
    }
  })

  it('sends any bytes, and descriptors with one byte at least', () => {
    const encoder = new FrameEncoder(raw(), limits)
    expect(encoder.check(Buffer.alloc(0), 0)).toBe(0)
    expect(encoder.check(Buffer.alloc(1), 253)).toBe(1)
    expect(() => encoder.check(Buffer.alloc(0), 1)).toThrow(UsageError)
  })

  it('cannot have a limit of no bytes', () => {
    expect(() => raw().connection(frameLimits({ maxPayload: 0 }))).toThrow(UsageError)
  })
})
