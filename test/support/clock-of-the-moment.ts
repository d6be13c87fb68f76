/**
 * In the place of src/event-loop.ts, for tests that let time pass: what the globals are at the moment, also Vitest's fakes.
 *
 *     vi.mock('../../src/event-loop.js', () => import('../support/clock-of-the-moment.js'))
 */
type Loop = typeof import('../../src/event-loop.js')

export const setTimeout = ((...args: Parameters<Loop['setTimeout']>) =>
  globalThis.setTimeout(...args)) as Loop['setTimeout']
export const clearTimeout: Loop['clearTimeout'] = (timer) => globalThis.clearTimeout(timer)
export const setInterval = ((...args: Parameters<Loop['setInterval']>) =>
  globalThis.setInterval(...args)) as Loop['setInterval']
export const clearInterval: Loop['clearInterval'] = (timer) => globalThis.clearInterval(timer)
export const setImmediate = ((...args: Parameters<Loop['setImmediate']>) =>
  globalThis.setImmediate(...args)) as Loop['setImmediate']
export const clearImmediate: Loop['clearImmediate'] = (immediate) => globalThis.clearImmediate(immediate)
export const queueMicrotask: Loop['queueMicrotask'] = (callback) => globalThis.queueMicrotask(callback)
export const nextTick: Loop['nextTick'] = (callback, ...args) => process.nextTick(callback, ...args)
export const now: Loop['now'] = () => performance.now()
