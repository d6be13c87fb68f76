/**
 * What the three processes tell each other over Node's own IPC: orders down, answers up. Small and rare; everything that
 * matters goes over the sockets between broker and worker.
 */

import type { Tally } from './tally.js'
import type { Comparison } from './tap.js'

/** A connection of its own for each run; this is the descriptor that both processes inherit for it. */
export const sockets = { stream: 3, tap: 4, 'full-table': 5 } as const
export type Run = keyof typeof sockets

/** Shows that the counting counts: something is done wrong on purpose in the first run. */
export type Sabotage = 'swap' | 'lose' | 'leak'

export interface Settings {
  readonly directory: string
  readonly seed: number
  /** Most files that the broker sends. */
  readonly files: number
  readonly sabotage: Sabotage | undefined
  /** Size of this process's descriptor table. */
  readonly tableSize: number
}

export type Order =
  | { readonly order: 'run'; readonly run: Run; readonly fileCount: number }
  | { readonly order: 'quit' }

export type Answer =
  | { readonly answer: 'broker-ready'; readonly listing: Listing }
  | { readonly answer: 'worker-ready'; readonly confinement: Confinement }
  | { readonly answer: 'progress'; readonly frames: number; readonly descriptors: number }
  | { readonly answer: 'sent'; readonly sent: Sent; readonly leaked: readonly string[] }
  | { readonly answer: 'received'; readonly received: Received; readonly leaked: readonly string[] }
  | { readonly answer: 'compared'; readonly comparison: Comparison; readonly leaked: readonly string[] }

export interface Listing {
  readonly files: number
  readonly bytes: number
  /** Files beyond the bounds, and what is no file: links, sockets, pipes, devices. */
  readonly leftOut: number
}

export interface Confinement {
  readonly uid: number
  /** What the worker tried to open, and how that ended. */
  readonly attempts: readonly { readonly path: string; readonly outcome: string }[]
}

export interface Sent {
  readonly frames: number
  readonly descriptors: number
  /** Times that `send` said false and the broker waited for the worker. */
  readonly waits: number
  /** Files that could not be opened: removed since they were listed, or not the broker's to read. */
  readonly unopened: number
}

export interface Received extends Tally {
  readonly bytes: number
  readonly seconds: number
  readonly pauses: number
  /** Files whose size is not what the frame says: the right ones, but somebody wrote to them meanwhile. */
  readonly resized: number
  /** One line of `sha256sum` a file, sorted, and hashed once more. */
  readonly digest: string
  readonly hashedFiles: number
  readonly hashedBytes: number
}

/** Tells main, which started this process. */
export function tell(answer: Answer): void {
  process.send?.(answer)
}

/** What main passed on the command line. */
export function readSettings(): Settings {
  return JSON.parse(process.argv[2] ?? '{}') as Settings
}

/** Carries out one order after the other. A failure ends the process, and main sees that. */
export function obey(run: (run: Run, fileCount: number) => Promise<void>): void {
  process.on('message', (message) => {
    const order = message as Order
    if (order.order === 'quit') process.disconnect()
    else void run(order.run, order.fileCount) // an unhandled rejection is meant to end the process
  })
}
