/** What the conformance kit cannot know of contentLength(): its header in other words, and headers that are none. */
import { describe, expect, it } from 'vitest'
import { contentLength, FrameEncoder, frameLimits } from '../../../src/framing/index.js'
import { readInEveryWay } from '../../../src/framing/testing/index.js'
import { refusalOf } from './refusals.js'

const codec = contentLength()
const good = Buffer.from('{}')

function payloadsOf(text: string): string[][] {
  const sends = [{ bytes: Buffer.from(text), fds: [] }]
  return readInEveryWay(sends, { codec, limits: frameLimits({}, codec) }).map(({ frames, error, way }) => {
    expect(error, way).toBeUndefined()
    return frames.map(({ payload }) => Buffer.from(payload).toString())
  })
}

describe('contentLength()', () => {
  it('takes the header off, also an empty message', () => {
    for (const payloads of payloadsOf(
      'Content-Length: 2\r\n\r\n{}Content-Length: 0\r\n\r\nContent-Length: 3\r\n\r\n[1]',
    )) {
      expect(payloads).toEqual(['{}', '', '[1]'])
    }
  })

  it('reads other fields, other letters and other spaces', () => {
    const type = 'Content-Type: application/vscode-jsonrpc; charset=utf-8'
    for (const payloads of payloadsOf(
      `${type}\r\ncontent-length:2\r\n\r\n{}CONTENT-LENGTH:  3 \r\n${type}\r\n\r\n[1]`,
    )) {
      expect(payloads).toEqual(['{}', '[1]'])
    }
  })

  it('is not misled by an end of header in a message', () => {
    for (const payloads of payloadsOf('A: b\r\nContent-Length: 6\r\n\r\n"\r\n\r\n"Content-Length: 1\r\n\r\n7')) {
      expect(payloads).toEqual(['"\r\n\r\n"', '7'])
    }
  })

  it.each([
    ['no length', 'Content-Type: a\r\n\r\n{}', 'a header has no Content-Length'],
    ['an empty header', '\r\n\r\n{}', 'a line of a header is no field'],
    ['a line without a colon', 'Content-Length: 2\r\nnonsense\r\n\r\n{}', 'a line of a header is no field'],
    ['two lengths', 'Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}', 'a header says Content-Length twice'],
    ['a negative length', 'Content-Length: -2\r\n\r\n{}', 'a Content-Length is no number of bytes'],
    ['a hexadecimal length', 'Content-Length: 0x2\r\n\r\n{}', 'a Content-Length is no number of bytes'],
    ['a length with a fraction', 'Content-Length: 2.5\r\n\r\n{}', 'a Content-Length is no number of bytes'],
    [
      'a length of too many digits',
      `Content-Length: ${'9'.repeat(16)}\r\n\r\n`,
      'a Content-Length is no number of bytes',
    ],
    ['a header without end', 'x: '.padEnd(5000, 'y'), 'a header does not end within 4096 bytes'],
  ])('refuses %s', (_title, bad, message) => {
    const error = refusalOf({ codec, good, bad: Buffer.from(bad) })
    expect(error).toMatchObject({ name: 'ProtocolError', origin: 'remote' })
    expect(error.message).toContain(message)
    expect(error.message).toContain('at byte 23 of the stream')
  })

  it('refuses a message over the limit as soon as its header says so', () => {
    const error = refusalOf({ codec, good, bad: Buffer.from('Content-Length: 51\r\n\r\n'), limits: { maxPayload: 50 } })
    expect(error).toMatchObject({ name: 'FrameTooLargeError', origin: 'remote', limit: 50 })
  })

  it('sends no descriptors unless it is told to', () => {
    expect(() => new FrameEncoder(codec, frameLimits({}, codec)).check(good, 1)).toThrow(/descriptors/)
    expect(new FrameEncoder(codec, frameLimits({ maxDescriptors: 1 }, codec)).check(good, 1)).toBe(2)
  })
})
