/** What nobody caught, from now on until the test's end. Then it does not fail the test by itself: look at the list. */
import { onTestFinished } from 'vitest'

export function unhandled(): unknown[] {
  const found: unknown[] = []
  const note = (error: unknown) => void found.push(error)
  const others = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection')
  process.on('unhandledRejection', note)
  onTestFinished(() => {
    process.off('unhandledRejection', note)
    for (const other of others) process.on('unhandledRejection', other)
  })
  return found
}
