/**
 * NumberedFiles: files that hold a number each, known among all of the process's by their name; and which numbers have come
 * with a value.
 */
import { readdirSync, readlinkSync, readSync } from 'node:fs'
import { Descriptor } from '../../stream/index.js'

let sets = 0

export class NumberedFiles {
  readonly #name = `pillion-kit-${process.pid}-${sets++}`
  readonly #made: Descriptor[] = []

  /** Closed with all of them. */
  make(number: number): Descriptor {
    const content = Buffer.alloc(4)
    content.writeUInt32LE(number)
    const file = Descriptor.memfd(content, { name: this.#name })
    this.#made.push(file)
    return file
  }

  /** How many are open in this process, duplicates counted. */
  get open(): number {
    return readdirSync('/proc/self/fd').filter((fd) => linkOf(fd).startsWith(`/memfd:${this.#name} `)).length
  }

  /** Those that were made here; not duplicates. */
  close(): void {
    for (const file of this.#made) file.close()
  }
}

/** The numbers of the files in a value, wherever they are, in order. They are closed. */
export function numbersIn(value: unknown): number[] {
  if (value instanceof Descriptor) {
    const content = Buffer.alloc(4)
    readSync(value.fd, content, 0, 4, 0)
    value.close()
    return [content.readUInt32LE()]
  }
  if (value instanceof Map) return numbersIn([...value])
  if (value instanceof Set) return numbersIn([...value])
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return []
  return Object.values(value).flatMap(numbersIn)
}

/** Empty: closed meanwhile. */
function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return ''
  }
}
