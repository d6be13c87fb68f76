/**
 * MapProgram: what a function that was given to `map` does, as data: docs/rpc-protocol.md, *map*.
 */
import type { CallMode, Path } from './messages.js'

/** What a step or the result refers to: a variable (0: the element; n: what step n gave), or a capability that was captured. */
export type MapReference = { readonly variable: number; readonly path: Path } | { readonly capture: number }

/** An encoded value, with what its capabilities are. */
export interface MapValue {
  readonly content: Uint8Array
  readonly caps: readonly MapReference[]
}

export interface MapStep {
  readonly subject: MapReference
  readonly mode: CallMode
  readonly path: Path
  /** Of a call: its arguments. Of a map: its program. */
  readonly params: MapValue | undefined
}

export interface MapProgram {
  readonly steps: readonly MapStep[]
  readonly result: MapValue
}
