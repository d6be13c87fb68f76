/**
 * What the harness tells a process to be, in its one argument. Shared by the harness and by what it starts.
 */

/** What the two ends do with each other. */
export type FramePattern = 'ping' | 'flood' | 'fan' | 'idle'
export type RpcPattern = 'echo' | 'flight' | 'chain'
export type Pattern = FramePattern | RpcPattern | 'start'

export interface Setting {
  readonly contender: string
  readonly role: 'server' | 'client'
  readonly pattern: Pattern
  /** Of the socket; the server makes it. */
  readonly path: string
  /** Bytes of a frame's payload. */
  readonly payload: number
  /** That ride on each frame. */
  readonly descriptors: number
  /** Live ones in `fan`, idle ones in `idle`. */
  readonly connections: number
  /** For a client that starts its server itself. */
  readonly serverCpu: number
}

/** What a round found, by name: units.ts knows the units. */
export type Metrics = Readonly<Record<string, number>>

/** A line that a process prints. */
export type Answer = { readonly ready: true } | { readonly metrics: Metrics } | { readonly failure: string }

export function settingOf(argv: readonly string[]): Setting {
  return JSON.parse(argv[2] ?? '{}') as Setting
}
