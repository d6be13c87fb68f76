/**
 * What a wake-up brought, as the transport hands it over: bytes, and the sets of descriptors that came with them, each
 * with the position at which its recvmsg ended. Never flattened: the position is all that tells whose a set is.
 */

/** The descriptors that one recvmsg returned. Whoever is handed a set owns its descriptors. */
export interface DescriptorSet {
  /** Stream position just behind the last byte of that recvmsg (docs/kernel.md fact 3). */
  readonly end: number
  /** MSG_CTRUNC: `fds` is what could be installed, perhaps nothing; the rest is gone for good (facts 7 and 9). */
  readonly truncated: boolean
  readonly fds: readonly number[]
  /** Where the kernel keeps boundaries: the message's length as it was sent, and more than came of it if it was cut. */
  readonly messageLength?: number
}

/** One object a thread, filled anew for each call of a receiver. */
export interface Received {
  /** Bytes that went into the memory lent to the socket. They precede those in `bytes`. */
  readonly lent: number
  /** The slab. It is written again after the call, from `start`, unless `keep` is called. */
  readonly bytes: Uint8Array
  /** The first byte that has not been consumed so far. */
  readonly start: number
  readonly end: number
  /** Stream position of `bytes[start]`. */
  readonly position: number
  /**
   * In the order of their arrival. Where the kernel keeps boundaries, one for each message, if only an empty one; after
   * `tellReceives` one for each recvmsg.
   */
  readonly sets: readonly DescriptorSet[]
  /** Leaves the slab up to `end` as it is for good: views into it stay what they are. */
  keep(): void
}
