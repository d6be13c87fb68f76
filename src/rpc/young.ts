/**
 * The young: what has just come to be and is seen to behind this turn of the event loop, if it is still there then. Most
 * of what a call brings is not.
 */
import { setImmediate } from '../event-loop.js'

export interface Young {
  /** It has outlived its first turn, or has been done with meanwhile. */
  grownUp(): void
}

let young: Young[] = []

export function addYoung(one: Young): void {
  if (young.length === 0) setImmediate(growUp)
  young.push(one)
}

function growUp(): void {
  const grown = young
  young = []
  for (const one of grown) one.grownUp()
}
