/** What comes of a stream that starts with a good frame and goes on with bytes that are none. */
import { expect } from 'vitest'
import { type Codec, type FrameLimits, frameLimits, PillionError } from '../../../src/framing/index.js'
import { readInEveryWay, sendsOf } from '../../../src/framing/testing/index.js'

export interface Refusal {
  readonly codec: Codec
  /** The good frame's payload. */
  readonly good: Uint8Array
  readonly bad: Uint8Array
  readonly limits?: Partial<FrameLimits>
}

/** In every way of reading: the good frame, then the same error, which is returned; no descriptor is left anywhere. */
export function refusalOf({ codec, good, bad, limits: given = {} }: Refusal): PillionError {
  const limits = frameLimits(given, codec)
  const [first] = sendsOf(codec, limits, [{ payload: good, fds: [] }])
  const sends = [{ bytes: Buffer.concat([first!.bytes, bad]), fds: [] }]
  const errors = readInEveryWay(sends, { codec, limits }).map(({ way, error, frames }) => {
    expect(frames.length, way).toBe(1)
    expect(error, way).toBeInstanceOf(PillionError)
    expect(error?.cause, way).toBeUndefined()
    return error!
  })
  expect(new Set(errors.map(({ message }) => message)).size).toBe(1)
  return errors[0]!
}
