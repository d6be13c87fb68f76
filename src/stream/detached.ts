/**
 * Detached: a connection without its stream, as `detach` gives it and `adopt` takes it, here or in another process.
 */
import type { Descriptor } from '../transport/index.js'

export interface Detached {
  /** The connected socket, neither closed nor half-closed. The caller's from now on: hand it on, or close it. */
  readonly socket: Descriptor
  /**
   * The beginning of a frame that is still on its way, as far as it was received: at most a frame less a byte, and empty as
   * a rule. It goes with the socket: `adopt(socket, { unread })`.
   */
  readonly unread: Uint8Array
}
