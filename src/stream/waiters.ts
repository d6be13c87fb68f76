/**
 * Waiters: those who wait until a queue has come so far, and may give up.
 */
import { onAbort } from '../transport/shared-signal.js'

export interface Waiter {
  /** How far the queue must have come. */
  readonly until: number
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** All of them, who wait no more. */
export function taken(waiters: Waiter[] | undefined): Waiter[] {
  return waiters === undefined ? [] : waiters.splice(0)
}

export function settle(waiters: Waiter[] | undefined, settled: number): void {
  while (waiters !== undefined && waiters.length > 0 && (waiters[0] as Waiter).until <= settled)
    waiters.shift()?.resolve()
}

export function wait(waiters: Waiter[], until: number, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return new Promise((resolve, reject) => waiters.push({ until, resolve, reject }))
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const waiter: Waiter = {
      until,
      resolve: () => {
        stopListening()
        resolve()
      },
      reject: (error) => {
        stopListening()
        reject(error)
      },
    }
    // Who has stopped waiting must not count as told of what comes later.
    const stopListening = onAbort(signal, () => {
      waiters.splice(waiters.indexOf(waiter), 1)
      reject(signal.reason)
    })
    waiters.push(waiter)
  })
}
