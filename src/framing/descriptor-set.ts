/**
 * DescriptorSet: what framing is told about the descriptors of a recvmsg.
 *
 * Descriptors are plain numbers here. Nothing in framing opens or closes one: what it must not keep, it hands out.
 */

/** The descriptors that one recvmsg returned: none, perhaps, where each recvmsg is told of (`wantsReceives`). */
export interface DescriptorSet {
  /** Stream position just behind the last byte of that recvmsg (docs/kernel.md fact 3). */
  readonly end: number
  /** MSG_CTRUNC: `fds` is a prefix of what was sent, perhaps empty; the rest is gone for good (facts 7 and 9). */
  readonly truncated: boolean
  readonly fds: readonly number[]
  /** Where the kernel keeps boundaries: the message's length as it was sent, and more than came of it if it was cut. */
  readonly messageLength?: number
}
