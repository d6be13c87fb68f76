/**
 * What the deadlines of calls go by: the program's own clock and timers at the moment, which its tests may have replaced, so
 * that they can let a call's time pass. Everything else goes by the event loop's own.
 */
export function now(): number {
  return performance.now()
}

export function startTimer(callback: () => void, milliseconds: number): NodeJS.Timeout {
  return setTimeout(callback, milliseconds)
}

export function stopTimer(timer: NodeJS.Timeout | undefined): void {
  clearTimeout(timer)
}
