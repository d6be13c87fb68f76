/**
 * birpc over a pillion stream: its channel, with every value that pillion's RPC carries, Descriptors among them.
 *
 * Owns the stream, and received descriptors until their call is over. Of birpc only the types are imported: the program
 * calls `createBirpc` itself.
 */
import type { BirpcResolver, ChannelOptions } from 'birpc'
import { DescriptorLostError, UsageError } from '../errors.js'
import { FrameStreamTransport, packValue, RpcError, unpackValue } from '../rpc/index.js'
import type { Descriptor, FrameStream } from '../stream/index.js'

export interface BirpcStreamOptions {
  /** Bytes that wait for the peer to read them; with more a call fails, and an answer ends the stream. Default 64 MiB. */
  readonly maxQueued?: number
  /** How deep a message may be nested, either way. Default 100. */
  readonly depth?: number
  /** Elements, keys and members of a message, either way. Default 1,000,000. */
  readonly values?: number
}

/** To be given to `createBirpc`, alone or among other options. */
export interface BirpcChannel extends ChannelOptions {
  /** Finds the functions' own names, and those of their classes; none of Object.prototype. Another must see to that itself. */
  // biome-ignore lint/suspicious/noExplicitAny: the library's `this` depends on what createBirpc is given
  readonly resolver: BirpcResolver<any>
}

/**
 * What `create` makes of a channel over the stream: `createBirpc(functions, channel)`. It is closed (`$close`) when the
 * stream ends, with what ended it, and the stream when it is. Owns the stream.
 */
export function overStream<Rpc extends { $close(error?: Error): void }>(
  stream: FrameStream,
  create: (channel: BirpcChannel) => Rpc,
  options: BirpcStreamOptions = {},
): Rpc {
  const link = new Link(stream, options)
  const rpc = create(link.channel)
  link.onEnd = (error) => rpc.$close(error)
  return rpc
}

/** The channel alone, as for `createBirpcGroup`: calls are rejected when the stream ends. Owns the stream. */
export function birpcChannel(stream: FrameStream, options: BirpcStreamOptions = {}): BirpcChannel {
  return new Link(stream, options).channel
}

interface Message {
  /** A question, or what it is settled with. */
  readonly t: 'q' | 's'
  /** None: nobody waits for an answer. */
  readonly i?: string
  readonly m?: string
  readonly a?: readonly unknown[]
  readonly r?: unknown
  readonly e?: unknown
}

/** birpc's, which is done when the function is, and has been answered. */
type Listener = (message: Message) => PromiseLike<void>

/** More than this waits: a call's promise begins behind it. */
const mark = 256 * 1024

class Link {
  readonly channel: BirpcChannel
  onEnd: ((error: Error) => void) | undefined
  readonly #stream: FrameStream
  readonly #link: FrameStreamTransport
  readonly #maxQueued: number
  readonly #lent
  readonly #moved
  readonly #received
  /** Calls of ours that have no answer yet. */
  readonly #pending = new Set<string>()
  #listener: Listener | undefined
  #ended: Error | undefined

  constructor(stream: FrameStream, { maxQueued = 64 * 1024 * 1024, ...limits }: BirpcStreamOptions) {
    this.#stream = stream
    this.#link = new FrameStreamTransport(stream, { answers: 'by promises' })
    this.#maxQueued = maxQueued
    this.#lent = limits
    this.#moved = { ...limits, transfer: true }
    this.#received = { ...limits, bytes: 'copies', lost: 'in place' } as const
    this.channel = {
      post: (message: Message) => (message.t === 's' ? this.#answer(message) : this.#call(message)),
      on: (listener) => this.#begin(listener as Listener),
      off: () => this.#link.close(),
      resolver: ownFunction,
    }
  }

  #begin(listener: Listener): void {
    if (this.#listener !== undefined) throw new UsageError('a channel is for one createBirpc')
    this.#listener = listener
    this.#link.start({
      onFrame: (payload, descriptors, lost) => this.#receive(payload, descriptors, lost),
      onBatchEnd: () => {},
      onEnd: (error) => this.#end(error ?? new RpcError('disconnected', 'the stream has ended')),
    })
  }

  #call(message: Message): PromiseLike<void> | undefined {
    if (this.#ended !== undefined) throw this.#ended
    if (this.#link.queuedBytes > this.#maxQueued) throw this.#overloaded()
    this.#send(message, false)
    if (message.i !== undefined) this.#pending.add(message.i)
    return this.#link.queuedBytes > mark ? this.#stream.drained() : undefined
  }

  /** Whoever called is told in any case; here is nobody who could be. */
  #answer(message: Message): void {
    if (this.#link.queuedBytes > this.#maxQueued) this.#stream.destroy(this.#overloaded())
    try {
      this.#send(message, true)
    } catch (error) {
      this.#send({ t: 's', i: message.i as string, e: bareError(error) }, true)
    }
  }

  #send(message: Message, moved: boolean): void {
    const { payload, descriptors } = packValue(message, moved ? this.#moved : this.#lent)
    this.#link.send(payload, [], descriptors)
  }

  #receive(payload: Uint8Array, received: readonly Descriptor[], lost: number): void {
    let message: Message
    let descriptors: readonly Descriptor[] = []
    try {
      const unpacked = unpackValue({ payload, descriptors: received, lost }, this.#received)
      descriptors = unpacked.descriptors
      message = checked(unpacked.value)
    } catch (error) {
      closeAll(descriptors)
      this.#stream.destroy(error as Error)
      return
    }
    const { i } = message
    if (message.t === 's') {
      if (this.#pending.delete(i as string) && lost === 0) {
        if (descriptors.length === 0) this.#handle(message)
        else this.#settle(message, descriptors)
        return
      }
      closeAll(descriptors) // nobody asked, or a part of it is missing
      if (lost > 0) this.#handle({ t: 's', i: i as string, e: lostOnTheWay() })
    } else if (lost > 0 && i !== undefined) {
      closeAll(descriptors)
      this.#answer({ t: 's', i, e: lostOnTheWay() })
    } else {
      this.#handle(message, descriptors)
    }
  }

  /**
   * An answer with descriptors. birpc drops that of a call which it has given up, after its timeout, and says so to nobody:
   * but if it settles the call's promise, the language asks what that is settled with for `then` at once. Nobody asks what
   * a promise is rejected with: so an error comes as a result too, which rejects.
   */
  #settle({ t, i, r, e }: Message, descriptors: readonly Descriptor[]): void {
    let wanted = false
    const outcome = Object.defineProperty({}, 'then', {
      get: () => {
        wanted = true
        return (resolve: (value: unknown) => void, reject: (error: unknown) => void) => (e ? reject(e) : resolve(r))
      },
    })
    this.#handle({ t, i: i as string, r: outcome })
    if (!wanted) closeAll(descriptors)
  }

  /** What a call came with is closed when it is over, unless somebody has taken it. */
  #handle(message: Message, descriptors: readonly Descriptor[] = []): void {
    this.#listener?.(message).then(
      () => closeAll(descriptors),
      (error: unknown) => {
        closeAll(descriptors)
        if (message.t === 'q' && message.i !== undefined) this.#answer({ t: 's', i: message.i, e: bareError(error) })
      },
    )
  }

  #end(error: Error): void {
    this.#ended = error
    const pending = [...this.#pending]
    this.#pending.clear()
    if (this.onEnd === undefined) for (const i of pending) this.#handle({ t: 's', i, e: error })
    else this.onEnd(error)
    this.#link.close()
  }

  #overloaded(): RpcError {
    return new RpcError('overloaded', `more than ${this.#maxQueued} bytes wait for the peer to read them (maxQueued)`)
  }
}

/** The function that birpc has found by name, unless it comes from a prototype that is the language's own. */
function ownFunction<F>(this: { readonly $functions: object }, name: string, found: F): F | undefined {
  if (name === 'constructor' || name === 'prototype' || name === '__proto__') return undefined
  for (let at: object | null = this.$functions; at !== null && !foreign.has(at); at = Object.getPrototypeOf(at)) {
    if (Object.hasOwn(at, name)) return typeof found === 'function' ? found : undefined
  }
  return undefined
}

const foreign = new Set<object>([Object.prototype, Function.prototype, Array.prototype])

/**
 * Throws RpcError for what is no message of birpc's, which does not look itself. An answer has a result or an error and
 * nothing more: a descriptor anywhere else in it would be nobody's.
 */
function checked(value: unknown): Message {
  const { t, i, m, a } = (value ?? {}) as Record<string, unknown>
  if (t === 's' && typeof i === 'string' && isAnswer(value as object)) return value as Message
  if (t === 'q' && typeof m === 'string' && Array.isArray(a) && (i === undefined || typeof i === 'string')) {
    return value as Message
  }
  throw new RpcError('failed', 'what came is no message of birpc', { origin: 'remote' })
}

function isAnswer(message: object): boolean {
  if (Object.getPrototypeOf(message) !== Object.prototype || Object.keys(message).length !== 3) return false
  return Object.hasOwn(message, 'r') || Object.hasOwn(message, 'e')
}

/** Of an error that cannot travel itself: what can in any case. */
function bareError(thrown: unknown): Error {
  const { name = 'Error', message = thrown, code } = (thrown instanceof Error ? thrown : {}) as NodeJS.ErrnoException
  const bare = new Error(String(message).slice(0, 1000))
  return Object.assign(bare, { name: String(name), ...(typeof code === 'string' ? { code } : {}) })
}

function lostOnTheWay(): DescriptorLostError {
  return new DescriptorLostError("a descriptor of the message was lost on the way: the receiver's table was full")
}

function closeAll(descriptors: readonly Descriptor[]): void {
  for (const descriptor of descriptors) descriptor.close()
}
