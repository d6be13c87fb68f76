/**
 * How long the lists of a message may be that the libraries go through whole before anybody has asked for them, whatever length
 * a few bytes say that they have.
 */

/** Of one message. */
const mostCapabilities = 4096
/** To a capability in an answer. */
const mostSteps = 64

/** Throws for a longer table of capabilities. */
export function checkCapabilities(length: number): void {
  if (length > mostCapabilities) throw new Error(`a message has ${length} capabilities`)
}

/** Throws for a longer path into a promised answer. */
export function checkSteps(length: number): void {
  if (length > mostSteps) throw new Error(`a promised answer is looked into ${length} times`)
}
