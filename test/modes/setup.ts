/**
 * Before anything is held against a test: a thread's set of edge-triggered descriptors, which stays open for good. Not as this is
 * loaded, since tests are about to replace modules and clocks.
 */
import { beforeAll } from 'vitest'

beforeAll(async () => {
  const { pair } = await import('../../src/stream/index.js')
  for (const end of pair({ readiness: 'edge' })) end.on('frame', () => {}).destroy()
})
