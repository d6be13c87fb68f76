/**
 * ValueLimits: how large a value may be, both ways.
 */
export interface ValueLimits {
  /** Arrays, objects and the like inside one another. */
  readonly depth: number
  /** Values in one message, each element, key and value counted: what a few bytes can stand for. */
  readonly count: number
}

/** Digits of a bigint, in hexadecimal: parsing takes time. */
export const mostBigintDigits = 16_384
