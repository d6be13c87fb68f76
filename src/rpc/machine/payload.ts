/**
 * Payload: an encoded value with the capabilities and descriptors that it refers to, apart from any session. It goes from
 * one session into another as it is; only its last receiver decodes it.
 *
 * Owns a reference to each capability, and each descriptor, until `release` or until somebody takes them out.
 */
import type { Descriptor } from '../../transport/index.js'
import { shared } from './broken-capability.js'
import type { Capability } from './capability.js'

export class Payload {
  #content: Uint8Array
  #tail: Uint8Array | undefined
  #onReturned: (() => void) | undefined
  readonly caps: readonly Capability[]
  readonly descriptors: readonly Descriptor[]
  /** Descriptors behind the last one that were lost on the way. */
  readonly lost: number
  /** The content is memory of its own, which whoever decodes it may give away. */
  stays = false

  constructor(
    content: Uint8Array,
    caps: readonly Capability[] = noCaps,
    descriptors: readonly Descriptor[] = noDescriptors,
    lost = 0,
  ) {
    this.#content = content
    this.caps = caps
    this.descriptors = descriptors
    this.lost = lost
  }

  /**
   * A value whose last bytes are somebody else's memory: what is large need not be copied.
   * @param onReturned called once, when that memory is no longer looked at: it was sent, copied or let go of; never, if
   * the session that it was to be sent by ends before
   */
  static referring(content: Uint8Array, tail: Uint8Array, onReturned?: () => void): Payload {
    const payload = new Payload(content)
    payload.#tail = tail
    payload.#onReturned = onReturned
    return payload
  }

  /** The encoded value, in one piece. */
  get content(): Uint8Array {
    if (this.#tail !== undefined) {
      this.#content = new Uint8Array(Buffer.concat([this.#content, this.#tail]))
      this.#tail = undefined
      this.#returnMemory()
    }
    return this.#content
  }

  /** It lies in two pieces. */
  get hasTail(): boolean {
    return this.#tail !== undefined
  }

  /** The same, as it lies. */
  get pieces(): readonly Uint8Array[] {
    return this.#tail === undefined ? [this.#content] : [this.#content, this.#tail]
  }

  /** To be called when `pieces` have been sent; undefined: nobody wants to know. */
  get onSent(): (() => void) | undefined {
    return this.#onReturned === undefined ? undefined : () => this.#returnMemory()
  }

  /** Of the encoded value, in bytes. */
  get length(): number {
    return this.#content.length + (this.#tail === undefined ? 0 : this.#tail.length)
  }

  /** Nothing in it needs to be released. */
  get plain(): boolean {
    return this.caps.length === 0 && this.descriptors.length === 0
  }

  /**
   * Another owner of the same; what has been released meanwhile is broken in it. Throws what `Descriptor.dup` throws, and
   * then owns nothing.
   */
  duplicate(): Payload {
    const descriptors: Descriptor[] = []
    try {
      for (const descriptor of this.descriptors) descriptors.push(descriptor.dup())
    } catch (error) {
      for (const descriptor of descriptors) descriptor.close()
      throw error
    }
    return new Payload(this.content, this.caps.map(shared), descriptors, this.lost)
  }

  release(): void {
    for (let i = 0; i < this.caps.length; i++) (this.caps[i] as Capability).release()
    this.closeDescriptors()
    this.#returnMemory()
  }

  closeDescriptors(): void {
    for (const descriptor of this.descriptors) descriptor.close()
  }

  #returnMemory(): void {
    const onReturned = this.#onReturned
    this.#onReturned = undefined
    onReturned?.()
  }
}

const noCaps: readonly Capability[] = Object.freeze([])
const noDescriptors: readonly Descriptor[] = Object.freeze([])

/** The content that is nothing: the params of a `get`. */
export const nil = new Uint8Array([0xc0])
