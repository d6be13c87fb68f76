/**
 * Which descriptors this process has open, found without opening anything: by asking fstat about every number that the
 * table has room for. (The worker may not even read /proc/self/fd.)
 */
import { fstatSync } from 'node:fs'

export type OpenDescriptors = ReadonlyMap<number, string>

/** Number and identity of each. */
export function openDescriptors(tableSize: number): OpenDescriptors {
  const open = new Map<number, string>()
  for (let fd = 0; fd < tableSize; fd++) {
    const identity = identityOf(fd)
    if (identity !== undefined) open.set(fd, identity)
  }
  return open
}

/** Those that were not open before; one that took the number of another is found by what it refers to. */
export function leakedSince(before: OpenDescriptors, tableSize: number): string[] {
  return [...openDescriptors(tableSize)]
    .filter(([fd, identity]) => before.get(fd) !== identity)
    .map(([fd, identity]) => `descriptor ${fd} (${identity})`)
}

/** `device:inode`; undefined if the number is not open. */
export function identityOf(fd: number): string | undefined {
  return look(fd)?.identity
}

export function look(fd: number): { readonly identity: string; readonly size: number } | undefined {
  try {
    const { dev, ino, size } = fstatSync(fd, { bigint: true })
    return { identity: `${dev}:${ino}`, size: Number(size) }
  } catch {
    return undefined
  }
}
