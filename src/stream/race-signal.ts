/**
 * Waiting that can be given up: the waiting ends, and what is waited for goes on.
 */
import { onAbort } from '../transport/shared-signal.js'

/** The promise, or the signal's reason if that comes first; listens no longer than it waits. */
export function raceSignal<T>(waiting: Promise<T>, signal: AbortSignal, onGivenUp: () => void = () => {}): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (reason: unknown): void => {
      onGivenUp()
      reject(reason)
    }
    try {
      signal.throwIfAborted()
    } catch (reason) {
      giveUp(reason)
      return
    }
    const stopListening = onAbort(signal, () => giveUp(signal.reason))
    waiting.then(resolve, reject).finally(stopListening)
  })
}
