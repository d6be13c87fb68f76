/**
 * RpcTransport: what a session needs of whatever carries its messages: whole frames, in order, none lost.
 */
import type { Descriptor, Peer } from '../transport/index.js'

export interface RpcTransport {
  /** False: a call with a descriptor in it is refused. */
  readonly carriesDescriptors: boolean
  /** Of one frame. */
  readonly maxDescriptors: number
  /** Bytes of one frame. */
  readonly maxPayload: number
  /** Bytes that were sent and have not left yet. */
  readonly queuedBytes: number
  /** Who is at the other end, if that is known. */
  readonly peer: Peer | undefined
  /** Begins to receive; called once, at first. */
  start(receiver: FrameReceiver): void
  /**
   * Sends a frame, which is `head` and right behind it the pieces of `content`. The descriptors are taken over, also when
   * it throws, which is the end of the session. Does nothing but close them once closed.
   *
   * `head` is valid only during the call. So is the memory of `content`, unless a promise is returned: then it stays as it
   * is until that settles, when it has been sent or never will be.
   */
  send(head: Uint8Array, content: readonly Uint8Array[], descriptors: readonly Descriptor[]): Promise<void> | void
  /** Runs `send`, which sends several frames: they may leave together, when it returns. Optional: a help, and no more. */
  gather?(send: () => void): void
  /** Sends what was sent, then ends both directions. Nothing is received any more. */
  close(): void
  /** Keeps the process alive while it is open (the default), or not. */
  ref(): void
  unref(): void
}

export interface FrameReceiver {
  /**
   * A frame. `payload` is valid only during the call; the descriptors are the receiver's. Never throws.
   * @param lost descriptors behind the last one that the kernel could not deliver
   * @param stays nobody writes to the payload's memory any more: it is valid for good
   */
  onFrame(payload: Uint8Array, descriptors: readonly Descriptor[], lost: number, stays?: boolean): void
  /** All that came together has been handed over: the time to answer. */
  onBatchEnd(): void
  /** The peer has ended, or the connection is lost: once, and the last. */
  onEnd(error: Error | undefined): void
}
