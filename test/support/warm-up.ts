/**
 * Makes Node open now what it opens once per process when first needed, so that no test is blamed for it.
 *
 * Only what stays open for the life of the process belongs here; anything else would hide a leak.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { stat } from 'node:fs/promises'

export async function warmUp(): Promise<void> {
  // The thread pool, and the ring that newer libuv gives it.
  await stat('/')
  // libuv's signal pipe.
  await once(spawn('true', { stdio: 'ignore' }), 'exit')
  // Standard streams, made when first looked at.
  void process.stdout.writable
  void process.stderr.writable
}
