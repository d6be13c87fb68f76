/**
 * Signals that many share: a thousand streams may end by one, and a thousand waits.
 */
import { setMaxListeners } from 'node:events'

/** Calls `listener` when the signal is aborted; returns what ends the listening. */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  expectMany(signal)
  signal.addEventListener('abort', listener, { once: true })
  return () => signal.removeEventListener('abort', listener)
}

/** Node 20 takes more than ten listeners for a leak and warns; newer versions expect any number, and so does this. */
function expectMany(signal: AbortSignal): void {
  setMaxListeners(0, signal)
}
