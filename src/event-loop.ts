/**
 * The event loop's own timers, ticks and clock, as they were when pillion was loaded.
 *
 * A program that tests itself puts fakes in the place of the global ones (Jest, Vitest, sinon): what waits for the kernel,
 * or for memory to be let go of, would wait for such a clock to be moved on. Not from node:timers, which fakes are put
 * into as well, and which takes a tenth of a millisecond to load; the clock not from perf_hooks, which takes more than one.
 */
export const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, clearImmediate, queueMicrotask } =
  globalThis

export const { nextTick } = process

const { hrtime } = process

/** Milliseconds that only go up, from some time on. */
export function now(): number {
  const [seconds, nanoseconds] = hrtime()
  return seconds * 1000 + nanoseconds / 1_000_000
}
