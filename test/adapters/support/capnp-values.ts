/** Values with descriptors as the tests' Cap'n Proto schema has them: JSON, and beside it a list of files. */
import { Descriptor } from '../../../src/stream/index.js'

/** Of a connection. */
export interface PeerOptions {
  readonly onError?: (error: Error) => void
  readonly maxUntaken?: number
  /** A descriptor that is passed again goes with the same capability. */
  readonly sharesCapabilities?: boolean
}

/** The value as text, its descriptors as their places in `files`. */
export function written(value: unknown, files: Descriptor[]): string {
  const placed = (each: unknown): unknown => {
    if (each instanceof Descriptor) return { '\0file': files.push(each) - 1 }
    if (Array.isArray(each)) return each.map(placed)
    if (typeof each !== 'object' || each === null) return each
    return Object.fromEntries(Object.entries(each).map(([key, member]) => [key, placed(member)]))
  }
  return JSON.stringify(placed(value)) ?? 'null'
}

export function read(text: string, files: readonly unknown[]): unknown {
  return JSON.parse(text, (_key, value) => {
    return typeof value === 'object' && value !== null && '\0file' in value ? files[value['\0file'] as number] : value
  })
}
