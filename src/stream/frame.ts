/**
 * Frame: what arrives, owning its payload's memory and its descriptors.
 *
 * Descriptors are born here, one `Descriptor` each, so that a frame that nobody looks at is closed by whoever drops it
 * and, failing that, by the garbage collector. Knows nothing of how frames are consumed.
 */
import { adoptOwned, closeOwners } from '../transport/descriptor.js'
import type { Descriptor } from '../transport/index.js'

export interface Frame {
  /**
   * The bytes, valid for as long as it is referred to. It may be a view of memory that neighbouring frames lie in too:
   * copy what is kept for long, and never transfer its buffer.
   */
  readonly payload: Uint8Array
  /** In the sender's order. They are the frame's: `take` or `dup` what outlives it, and dispose of the frame. */
  readonly descriptors: readonly Descriptor[]
  /**
   * Descriptors that were announced but lost, because this process's table was full or it does not accept any: the last
   * ones, `descriptors` is a prefix. Codecs that announce no count report 1 for at least one. A payload that came as a
   * memfd and was lost counts too, and is empty here.
   */
  readonly lost: number
  /** Closes the descriptors that nobody took. */
  [Symbol.dispose](): void
}

const noDescriptors: readonly Descriptor[] = Object.freeze([])

export class ReceivedFrame implements Frame {
  readonly #memory: Uint8Array
  readonly #start: number
  readonly #end: number
  #payload: Uint8Array | undefined
  readonly descriptors: readonly Descriptor[]
  readonly lost: number

  /** @param fds in the ledger; owned by this frame from now on */
  constructor(
    memory: Uint8Array,
    start: number,
    end: number,
    fds: readonly number[] | readonly Descriptor[] | undefined,
    lost: number,
  ) {
    this.#memory = memory
    this.#start = start
    this.#end = end
    this.descriptors = fds === undefined || fds.length === 0 ? noDescriptors : fds.map(asDescriptor)
    this.lost = lost
  }

  /** A frame of its own memory. The descriptors are its own from now on. */
  static of(payload: Uint8Array, descriptors: readonly number[] | readonly Descriptor[], lost: number): ReceivedFrame {
    return new ReceivedFrame(payload, 0, payload.length, descriptors, lost)
  }

  get payload(): Uint8Array {
    this.#payload ??= this.#memory.subarray(this.#start, this.#end)
    return this.#payload
  }

  /** Bytes of payload, known without making the view. */
  get size(): number {
    return this.#end - this.#start
  }

  /** Places of the descriptor table that it takes while it waits. */
  get places(): number {
    return this.descriptors.length
  }

  /**
   * It is handed out: its payload has to be there. Bytes that had to be fetched for that; throws SystemError where they cannot
   * be (ENOMEM).
   */
  open(): number {
    return 0
  }

  [Symbol.dispose](): void {
    if (this.descriptors.length > 0) closeOwners([this.descriptors])
  }
}

function asDescriptor(descriptor: number | Descriptor): Descriptor {
  return typeof descriptor === 'number' ? adoptOwned(descriptor) : descriptor
}
