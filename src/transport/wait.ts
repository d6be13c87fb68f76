/**
 * Waiting for a moment to try again, for what the kernel gives no event for. Knows nothing of what is tried.
 */
import { clearTimeout, setTimeout } from '../event-loop.js'
import { onAbort } from './shared-signal.js'

/** Rejects with the signal's own reason when it is aborted, before or meanwhile. */
export function wait(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const timer = setTimeout(() => {
      forget?.()
      resolve()
    }, milliseconds)
    const forget =
      signal &&
      onAbort(signal, () => {
        clearTimeout(timer)
        reject(signal.reason)
      })
  })
}
