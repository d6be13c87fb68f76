/**
 * The broker's privilege: finding and opening files. Nothing else in this example opens one.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Descriptor } from 'pillion'
import type { Listing } from './orders.js'
import type { NamedFile } from './payload.js'

/** Together they keep the demo short on a slow machine; main prints what they leave out. */
const mostBytes = 192 * 1024 * 1024

export interface OpenedFile {
  readonly name: NamedFile
  readonly descriptor: Descriptor
}

/** The paths of regular files, relative to the directory, its own before those of folders further down. */
export function listFiles(directory: string, mostFiles: number): { paths: string[]; listing: Listing } {
  const paths: string[] = []
  let bytes = 0
  let leftOut = 0
  const folders = ['']
  for (let folder = folders.shift(); folder !== undefined; folder = folders.shift()) {
    for (const entry of entriesOf(join(directory, folder))) {
      const path = join(folder, entry.name)
      const size = entry.isFile() ? sizeOf(join(directory, path)) : undefined
      if (entry.isDirectory()) folders.push(path)
      else if (size === undefined || paths.length >= mostFiles || bytes + size > mostBytes) leftOut++
      else {
        paths.push(path)
        bytes += size
      }
    }
  }
  return { paths, listing: { files: paths.length, bytes, leftOut } }
}

/** What opening may fail with because of the file; anything else (EMFILE) is a failure of ours. */
const unopenable = ['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EPERM', 'ENXIO']

/** Opens a file and says what was opened; undefined if it is gone, not ours to read, or has become something else. */
export function openFile(directory: string, path: string): OpenedFile | undefined {
  let fd: number
  try {
    fd = openSync(join(directory, path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if (unopenable.includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
  const stat = fstatSync(fd, { bigint: true }) // of what is open, not of what has that name by now
  if (!stat.isFile()) {
    closeSync(fd)
    return undefined
  }
  const name = { path, size: Number(stat.size), identity: `${stat.dev}:${stat.ino}` }
  return { name, descriptor: Descriptor.own(fd) }
}

function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))
  } catch {
    return [] // not ours to read, or removed meanwhile
  }
}

function sizeOf(path: string): number | undefined {
  try {
    return lstatSync(path).size
  } catch {
    return undefined
  }
}
