/** Marks the test that runs as one that has made a connection over pillion: only those count. */
import { getCurrentTest } from 'vitest/suite'

declare module 'vitest' {
  interface TaskMeta {
    overPillion?: boolean
  }
}

export function markOverPillion(): void {
  const test = getCurrentTest()
  if (test !== undefined) test.meta.overPillion = true
}
