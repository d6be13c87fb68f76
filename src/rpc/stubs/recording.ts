/**
 * Whether a function given to `map` is running: its calls are recorded instead of made.
 */
import type { Answer } from '../machine/answer.js'
import type { Payload } from '../machine/payload.js'
import type { Handle } from './handle.js'

export interface Recorder {
  /** A call of the function's; what it stands for is the caller's own. Never throws. */
  record(handle: Handle, mode: 'call' | 'get', args: readonly unknown[] | undefined): Answer
  /** A map inside of the function. Takes over the program. Never throws. */
  recordMap(handle: Handle, program: Payload): Answer
}

let current: Recorder | undefined

export function recording(): Recorder | undefined {
  return current
}

export function recordBy<T>(recorder: Recorder, run: () => T): T {
  const outer = current
  current = recorder
  try {
    return run()
  } finally {
    current = outer
  }
}
