/** A descriptor table that can be filled: `fill` leaves so many places, `empty` makes room again. */
import { closeSync, openSync, readdirSync, readSync } from 'node:fs'
import type { Descriptor } from '../../../src/stream/index.js'

const fillers: number[] = []

export async function fill(free: number): Promise<void> {
  // What Node itself has open may still come and go for a while after the start.
  for (let quiet = 0; quiet < 20; quiet++) {
    for (let full = false; !full; ) {
      try {
        fillers.push(openSync('/dev/null', 'r'))
        quiet = 0
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EMFILE') throw error
        full = true
      }
    }
    await new Promise(setImmediate)
  }
  for (const fd of fillers.splice(fillers.length - free)) closeSync(fd)
}

export function empty(): void {
  for (const fd of fillers.splice(0)) closeSync(fd)
}

/** Descriptors that are open in this process. */
export function openCount(): number {
  return readdirSync('/proc/self/fd').length
}

export function nameOf({ fd }: Descriptor): string {
  const into = Buffer.alloc(64)
  return into.toString('utf8', 0, readSync(fd, into, 0, into.length, 0))
}
