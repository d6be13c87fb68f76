/**
 * Passing: what the values need to know of the objects that are passed by reference, and nothing more. The stubs
 * implement it (stubs/), so that encoding knows no stub and a stub knows no encoding.
 */
import type { Answer } from '../machine/answer.js'
import type { Capability } from '../machine/capability.js'
import type { Path } from '../machine/messages.js'
import type { RpcTarget } from '../rpc-target.js'

/** A stub or a promise answers to this name with a Passable. */
export const passable: unique symbol = Symbol('pillion.passable')

export interface Passable {
  /**
   * What to pass: a capability, a reference of the encoder's own; with a path, the value that it leads to from there is
   * meant. Throws ClosedError once disposed.
   */
  pass(): { readonly cap: Capability; readonly path: Path | undefined }
  /** Of a promise whose value is here already: that, as references and data (values/reference.ts). */
  known(): { readonly value: unknown } | undefined
  /** Of a promise: what becomes of it, a reference of the caller's own. Of a stub: undefined. */
  answer(): Answer | undefined
  /** It was returned, and is the caller's from now on. */
  dispose(): void
}

/** For encoding. */
export interface Outgoing {
  /** The capability that stands for an object here, a reference of the encoder's own. */
  hold(target: RpcTarget | ((...args: never[]) => unknown)): Capability
  /** Each throws UsageError for a stream that is not free. */
  readableSource(stream: ReadableStream): GivenStream
  writableTarget(stream: WritableStream): GivenStream
  iterableSource(iterable: AsyncIterable<unknown> | Iterable<unknown>): GivenStream
  /** Whether an error's stack travels with it. */
  readonly sendStacks: boolean
}

/** A stream on its way out: whoever reads or writes it from afar calls this. */
export interface GivenStream extends RpcTarget {
  /** It is in a message that will be sent. Until then, letting go of it does nothing to the stream. */
  begin(): void
}

/** For decoding. Each takes over a reference to the capability. */
export interface Incoming {
  stub(cap: Capability): object
  readable(cap: Capability): ReceivedStream<ReadableStream>
  writable(cap: Capability): ReceivedStream<WritableStream>
  iterable(cap: Capability): ReceivedStream<AsyncIterable<unknown>>
  /** What stands in the place of a descriptor that was lost. Without it, the error is thrown. */
  lostDescriptor?(error: Error): unknown
}

/** Disposing of it ends a stream that nobody has begun to use, and leaves alone one that somebody has. */
export interface ReceivedStream<T> extends Disposable {
  readonly value: T
}
