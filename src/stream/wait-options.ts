/**
 * What those give who wait, and what they get.
 */
import { checkOptions, checkSignal } from '../arguments.js'

export interface WaitOptions {
  /** Ends the waiting, not the stream. */
  readonly signal?: AbortSignal
}

/** The wait, or its refusal: what returns a promise does not throw. */
export function waiting(options: WaitOptions, wait: (signal: AbortSignal | undefined) => Promise<void>): Promise<void> {
  try {
    checkOptions(options)
    const { signal } = options
    checkSignal(signal)
    return wait(signal)
  } catch (error) {
    return Promise.reject(error)
  }
}
