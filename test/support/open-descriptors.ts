/**
 * Which descriptors this process has open, and which of them are new since an earlier look.
 *
 * Knows nothing of vitest: test/support/setup.ts calls it around every test, test/support/sanity.test.ts tests it.
 */
import { fstatSync, readdirSync, readlinkSync } from 'node:fs'

export interface OpenDescriptor {
  readonly fd: number
  /** What /proc/self/fd says it is, for people to read. */
  readonly link: string
  /** Device and inode: the number alone may be another file's by now, and a file's link changes when it is renamed. */
  readonly identity: string
}

export type OpenDescriptors = ReadonlyMap<number, OpenDescriptor>

export interface Leak {
  readonly descriptors: readonly OpenDescriptor[]
  /** They went away once the collector had run: somebody forgot them, and a finalizer cleaned up. */
  readonly closedByCollector: boolean
}

export function openDescriptors(): OpenDescriptors {
  const open = new Map<number, OpenDescriptor>()
  for (const name of readdirSync('/proc/self/fd')) {
    const fd = Number(name)
    try {
      const { dev, ino } = fstatSync(fd, { bigint: true })
      open.set(fd, { fd, link: readlinkSync(`/proc/self/fd/${fd}`), identity: `${dev}:${ino}` })
    } catch {
      // The descriptor that readdirSync itself had open, closed since.
    }
  }
  return open
}

export function newSince(before: OpenDescriptors): OpenDescriptor[] {
  return [...openDescriptors().values()].filter(({ fd, identity }) => before.get(fd)?.identity !== identity)
}

/**
 * Waits until nothing is open that was not open before, for at most `patience` milliseconds: closing may take the
 * event loop some turns. What is open even then is a leak, also when only the collector can still close it.
 */
export async function findLeak(before: OpenDescriptors, patience = 2_000): Promise<Leak | undefined> {
  for (let turns = 0; turns < 10; turns++) {
    if (newSince(before).length === 0) return undefined
    await new Promise((resolve) => setImmediate(resolve))
  }
  const deadline = performance.now() + patience
  while (performance.now() < deadline) {
    if (newSince(before).length === 0) return undefined
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const descriptors = newSince(before)
  if (descriptors.length === 0) return undefined
  for (let turns = 0; turns < 10; turns++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return { descriptors, closedByCollector: newSince(before).length === 0 }
}

export function describeLeak({ descriptors, closedByCollector }: Leak): string {
  const list = descriptors.map(({ fd, link }) => `  ${fd} -> ${link}`).join('\n')
  const how = closedByCollector ? ' (the garbage collector closed them: they were forgotten)' : ''
  return `${descriptors.length} descriptor(s) leaked${how}:\n${list}`
}
