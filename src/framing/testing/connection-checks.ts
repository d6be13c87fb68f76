/** The conformance checks of a codec by itself: what it writes, and that its connections are each their own. */
import type { ConformanceCheck } from './conformance.js'
import { FramingReceiver } from './receiving.js'
import { expect, type Subject } from './subject.js'

/** What lies around the memory that a writer is given. */
const untouched = 0xa5
/** Bytes: not a multiple of what formats align to. */
const behind = 11

export function connectionChecks(subject: Subject): ConformanceCheck[] {
  return [
    { name: 'writes as much as it says, and nowhere else', run: () => writesInItsPlace(subject) },
    { name: 'keeps no state outside of its connections', run: () => connectionsApart(subject) },
  ]
}

function writesInItsPlace(subject: Subject): void {
  const { writer } = subject.codec.connection(subject.limits)
  for (const [i, { payload, fds }] of subject.frames.entries()) {
    writer.check?.([payload], payload.length, fds.length)
    const prefix = writer.prefixLength(payload.length)
    const suffix = writer.suffixLength?.(payload.length) ?? 0
    expectInPlace(prefix, `the prefix of frame ${i}`, (into, at) =>
      writer.writePrefix(into, at, payload.length, fds.length, 0),
    )
    if (suffix > 0) expectInPlace(suffix, `the suffix of frame ${i}`, (into, at) => writer.writeSuffix?.(into, at))
    const onWire = subject.ends[i]! - subject.start(i)
    expect(prefix + payload.length + suffix === onWire, `frame ${i} is ${onWire} bytes on the wire, not what it said`)
  }
}

function expectInPlace(length: number, what: string, write: (into: Uint8Array, at: number) => void): void {
  const at = 5
  const memory = new Uint8Array(at + length + 5).fill(untouched)
  write(memory, at)
  const around = [...memory.subarray(0, at), ...memory.subarray(at + length)]
  expect(
    around.every((byte) => byte === untouched),
    `${what} is written outside of its ${length} bytes`,
  )
}

/** Two connections of one codec in turns, a byte each, the second some bytes behind the first. */
function connectionsApart(subject: Subject): void {
  const codec = subject.receivingCodec
  const ends = [0, 1].map(() => new FramingReceiver(codec, subject.limits, 32 * 1024))
  const bytes = subject.sends.flatMap(({ bytes, fds }) =>
    Array.from(bytes, (byte, k) => ({
      bytes: Uint8Array.of(byte),
      set: k === 0 && fds.length > 0 ? { fds, truncated: false } : undefined,
    })),
  )
  for (let i = 0; i < bytes.length + behind; i++) {
    for (const [k, end] of ends.entries()) {
      const byte = bytes[i - k * behind]
      if (byte !== undefined) end.take([byte], false)
    }
  }
  const sent = subject.frames.flatMap(({ fds }) => fds).join()
  const size = subject.frames.reduce((sum, { payload }) => sum + payload.length, 0)
  for (const end of ends) {
    const error = end.finish()
    expect(error === undefined, `of two connections in turns, one ended in ${error?.message}`)
    expect(end.frames.flatMap(({ fds }) => fds).join() === sent, 'of two connections in turns, one lost descriptors')
    const received = end.frames.reduce((sum, { payload }) => sum + payload.length, 0)
    expect(received === size, 'of two connections in turns, one lost bytes')
  }
}
