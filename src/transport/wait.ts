/**
 * Waiting for a moment to try again, for what the kernel gives no event for. Knows nothing of what is tried.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { expectMany } from './shared-signal.js'

/** Rejects with the signal's own reason when it is aborted, before or meanwhile. */
export async function wait(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted()
  if (signal !== undefined) expectMany(signal)
  try {
    await delay(milliseconds, undefined, signal === undefined ? {} : { signal })
  } catch (error) {
    // Node wraps the reason in an error of its own.
    signal?.throwIfAborted()
    throw error
  }
}
