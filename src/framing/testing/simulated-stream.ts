/**
 * SimulatedStream: one direction of a Unix stream socket, as Linux does it, without a kernel and with nothing left to
 * chance. Fact numbers are those of docs/kernel.md; test/framing/simulated-stream.test.ts holds it against them.
 *
 * Descriptors are tokens, numbers that mean nothing. The simulator knows at any time where each of them is.
 */

/** Descriptors that one message takes (fact 6). */
const mostDescriptors = 253

export interface SimulatedStreamOptions {
  /** Bytes of a send that go into one skb at most (fact 12). */
  readonly skbBytes?: number
  /** What the skbs of the queue may cost together. */
  readonly sendBuffer?: number
  /** What an skb costs beside its bytes (fact 13). */
  readonly skbOverhead?: number
}

export interface ReceiveOptions {
  /** Descriptors that the control buffer has room for. */
  readonly room?: number
  /** Free places in the receiver's descriptor table. */
  readonly free?: number
}

export interface ReceivedMessage {
  readonly bytes: Uint8Array
  /** The one set that came with them. */
  readonly set: { readonly fds: readonly number[]; readonly truncated: boolean } | undefined
}

interface Skb {
  bytes: Uint8Array
  fds: readonly number[] | undefined
  readonly cost: number
}

export class SimulatedStream {
  /** Tokens installed in the receiver's table. */
  readonly installed: number[] = []
  /** Tokens that the kernel closed: truncated away, or sent without a byte to ride on. */
  readonly closed: number[] = []
  readonly #skbBytes: number
  readonly #sendBuffer: number
  readonly #skbOverhead: number
  readonly #queue: Skb[] = []
  #cost = 0
  #ended = false
  #edge = false

  constructor(options: SimulatedStreamOptions = {}) {
    this.#skbBytes = options.skbBytes ?? 36_544
    this.#sendBuffer = options.sendBuffer ?? 212_992
    this.#skbOverhead = options.skbOverhead ?? 767
  }

  /** How many bytes went, or why none did. If any did, all of `fds` have gone with them (fact 12). */
  send(bytes: Uint8Array, fds: readonly number[] = []): number | 'EAGAIN' | 'EINVAL' {
    if (fds.length > mostDescriptors) return 'EINVAL'
    if (bytes.length === 0) {
      this.closed.push(...fds) // fact 11
      return 0
    }
    let sent = 0
    while (sent < bytes.length && this.#cost < this.#sendBuffer) {
      const part = bytes.slice(sent, sent + this.#skbBytes)
      const cost = part.length + this.#skbOverhead
      this.#queue.push({ bytes: part, fds: sent === 0 && fds.length > 0 ? fds : undefined, cost })
      this.#cost += cost
      sent += part.length
    }
    if (sent === 0) return 'EAGAIN'
    this.#edge = true
    return sent
  }

  end(): void {
    this.#ended = true
    this.#edge = true
  }

  /** Up to `size` bytes, and at most one set (facts 1 and 2); the empty message at the end of the stream. */
  receive(size: number, options: ReceiveOptions = {}): ReceivedMessage | 'EAGAIN' {
    if (this.#queue.length === 0) return this.#ended ? { bytes: new Uint8Array(0), set: undefined } : 'EAGAIN'
    const parts: Uint8Array[] = []
    let left = size
    let set: ReceivedMessage['set']
    while (left > 0 && set === undefined) {
      const skb = this.#queue[0]
      if (skb === undefined) break
      const part = skb.bytes.subarray(0, left)
      parts.push(part)
      left -= part.length
      if (skb.fds !== undefined) set = this.#install(skb.fds, options)
      skb.fds = undefined
      skb.bytes = skb.bytes.subarray(part.length)
      if (skb.bytes.length > 0) break
      this.#queue.shift()
      this.#cost -= skb.cost
    }
    return { bytes: Buffer.concat(parts), set }
  }

  /** What a level-triggered poll says. */
  get readable(): boolean {
    return this.#queue.length > 0 || this.#ended
  }

  /** Whether something has arrived since it was asked last, which is all that an edge-triggered poll says. */
  takeEdge(): boolean {
    const edge = this.#edge
    this.#edge = false
    return edge
  }

  get writable(): boolean {
    return this.#cost < this.#sendBuffer
  }

  /** Tokens that have been sent and not received. */
  get inFlight(): number[] {
    return this.#queue.flatMap((skb) => skb.fds ?? [])
  }

  #install(fds: readonly number[], { room = mostDescriptors, free = Number.POSITIVE_INFINITY }: ReceiveOptions) {
    const installed = fds.slice(0, Math.min(room, free)) // facts 7 and 9
    this.installed.push(...installed)
    this.closed.push(...fds.slice(installed.length))
    return { fds: installed, truncated: installed.length < fds.length }
  }
}
