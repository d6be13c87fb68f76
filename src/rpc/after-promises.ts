/**
 * Calls back when no promise is left that could go on, and before the event loop looks for more to receive: a tick that is
 * asked for behind a promise runs only once all promises have been seen to.
 */
import { nextTick, queueMicrotask } from '../event-loop.js'

export function afterPromises(callback: () => void): void {
  queueMicrotask(() => nextTick(callback))
}
