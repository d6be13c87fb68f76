/**
 * Runs in every test file: after each test, a descriptor that was not open before it fails the test.
 *
 * The look comes last of all, after afterEach and onTestFinished of the test's own. Tests that are to leak on
 * purpose do so in a child process (test/support/sanity.test.ts has the check itself caught in the act).
 */
import { afterAll, beforeAll, beforeEach } from 'vitest'
import { describeLeak, findLeak, type OpenDescriptors, openDescriptors } from './open-descriptors.js'
import { warmUp } from './warm-up.js'

let atStart: OpenDescriptors
let blamed = false

beforeAll(async () => {
  await warmUp()
  atStart = openDescriptors()
})

beforeEach(({ onTestFinished }) => {
  const before = openDescriptors()
  // Registered before any of the test's own, so it runs after them.
  onTestFinished(async () => {
    const leak = await findLeak(before)
    if (leak === undefined) return
    blamed = true
    throw new Error(describeLeak(leak))
  })
})

// What hooks around a whole file leave open has no test to blame.
afterAll(async () => {
  const leak = blamed ? undefined : await findLeak(atStart)
  if (leak !== undefined) throw new Error(`after the whole file, ${describeLeak(leak)}`)
})
