/**
 * What goes over the wire in the property tests: frames, the ways to read them, and the things that a sender can do
 * wrong. Descriptors are tokens that count up, so that each says by itself whose it is.
 */
import fc from 'fast-check'
import type { FrameLimits } from '../../src/framing/index.js'
import type { Dice, SentFrame, WayToRead } from '../../src/framing/testing/index.js'
import { SimulatedStream } from '../../src/framing/testing/index.js'

/** Sizes and counts of a frame: mostly small and plain, now and then large, or bearing anything up to the limits. */
export function frames(limits: FrameLimits, largest: number): fc.Arbitrary<SentFrame[]> {
  const size = fc.oneof(
    { weight: 6, arbitrary: fc.nat(40) },
    { weight: 2, arbitrary: fc.nat(300) },
    { weight: 1, arbitrary: fc.nat(largest) },
  )
  const count = fc.oneof(
    { weight: 6, arbitrary: fc.constant(0) },
    { weight: 4, arbitrary: fc.integer({ min: 1, max: 4 }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: limits.maxDescriptors }) },
  )
  return fc.array(fc.record({ size, count }), { minLength: 1, maxLength: 25 }).map((shapes) => {
    let token = 0
    return shapes.map(({ size, count }, i) => ({
      payload: new Uint8Array(size).fill(0x40 + (i % 64)),
      fds: Array.from({ length: count }, () => token++),
    }))
  })
}

/** Steps that a scenario may take. Those that move megabytes do it in larger ones. */
const steps = 500

/** Reads of all sizes, small ones most of the time, so many in a wake-up, in either readiness mode. */
export function wayToRead(dice: Dice, total: number): WayToRead {
  const largest = Math.max(dice.pick([1, 3, 20, 100, 5000, 1 << 20]), total / steps)
  const most = dice.pick([1, 2, 5, 100])
  return {
    size: () => 1 + dice.roll(Math.ceil(largest)),
    wakeUp: () => 1 + dice.roll(most),
    lends: dice.roll(2) === 0,
    readiness: dice.pick(['level', 'edge']),
  }
}

/** A stream whose skbs and buffer are anything from tiny to what Linux has. */
export function simulatedStream(dice: Dice, total: number): SimulatedStream {
  return new SimulatedStream({
    skbBytes: Math.max(dice.pick([1, 5, 64, 36_544]), Math.ceil(total / steps)),
    sendBuffer: Math.max(dice.pick([10, 400, 212_992]), total / steps),
    skbOverhead: dice.pick([1, 767]),
  })
}
