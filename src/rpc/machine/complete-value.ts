/**
 * From a payload to a value that is whole: what was promised in it is waited for and put in its place.
 */
import { asError, RpcError } from '../rpc-error.js'
import { type Binaries, type Decoded, decodeValue, type Promised } from '../values/decode.js'
import { canceledError } from './answer.js'
import type { CallOrigin } from './capability.js'
import { type HeldBytes, heldBytesOf } from './held-bytes.js'
import { nil, Payload } from './payload.js'
import type { Vat } from './vat.js'

/** Owns the stubs and Descriptors of the value, which live until `dispose`. */
export interface CompleteValue extends Disposable {
  readonly value: unknown
  /** Whether there is anything to dispose of. */
  readonly owns: boolean
  dispose(): void
}

/**
 * What the promises in a value, and in what they bring, may come to. A promise takes a few bytes, and what it stands for is
 * decoded each time: without a bound a small message could fill the memory.
 */
export class Expansion {
  readonly #mostPromises: number
  readonly #held: HeldBytes | undefined
  #promises = 0
  #bytes = 64 * 1024 * 1024

  /** @param held where the bytes count until they are released */
  constructor(held: HeldBytes | undefined, mostPromises = 1000) {
    this.#held = held
    this.#mostPromises = mostPromises
  }

  /** Throws RpcError `overloaded` for one too many. */
  addPromises(count: number): void {
    this.#promises += count
    if (this.#promises > this.#mostPromises) {
      throw new RpcError('overloaded', `a value with more than ${this.#mostPromises} promises in it`)
    }
  }

  /** Throws RpcError `overloaded` for too many. They count until the function is called that it gives. */
  addBytes(count: number): () => void {
    this.#bytes -= count
    if (this.#bytes < 0) throw new RpcError('overloaded', 'what a value was promised comes to more than 64 MiB')
    const refusal = this.#held?.hold(count)
    if (refusal !== undefined) throw refusal
    return () => this.#held?.release(count)
  }
}

/** Nobody waits for it any more: what it waits for is let go of, and it ends with an error. Does nothing once it is done. */
export type Stop = () => void

/**
 * Takes over the payload. Calls back once, at once if nothing was promised.
 * @param partOf what the whole that the value is a part of may come to
 */
export function completeValue(
  payload: Payload,
  root: string,
  vat: Vat,
  context: CallOrigin,
  done: (value: CompleteValue | Error) => void,
  partOf?: Expansion,
  bytes: Binaries = 'copies',
): Stop {
  let decoded: Decoded
  try {
    decoded = decodeValue(payload, vat.incoming, vat.values.limits, bytes)
  } catch (error) {
    done(asError(error))
    return nothingToStop
  }
  if (decoded.promised.length === 0) {
    done(new OwningValue(decoded.value, decoded.owned))
    return nothingToStop
  }
  const expansion = partOf ?? new Expansion(context.held)
  try {
    expansion.addPromises(decoded.promised.length)
  } catch (error) {
    for (const { cap } of decoded.promised) cap.release()
    new OwningValue(undefined, decoded.owned).dispose()
    done(asError(error))
    return nothingToStop
  }
  const start: Start = (promised, fetched) => fetch(promised, root, vat, context, fetched, expansion)
  const completion = new Completion(decoded, start, done)
  return () => completion.stop()
}

/** Asks for what was promised; takes over its capability. */
type Start = (promised: Promised, fetched: (value: CompleteValue | Error) => void) => Stop

/** Waits for all that was promised in a value, until one of it fails. */
class Completion {
  readonly #decoded: Decoded
  readonly #done: (value: CompleteValue | Error) => void
  readonly #stops: Stop[] = []
  #missing: number
  #over = false

  constructor(decoded: Decoded, start: Start, done: (value: CompleteValue | Error) => void) {
    this.#decoded = decoded
    this.#done = done
    this.#missing = decoded.promised.length
    for (const promised of decoded.promised) {
      if (this.#over) promised.cap.release()
      else this.#stops.push(start(promised, (value) => this.#fetched(promised, value)))
    }
    if (this.#over) this.#stopAll()
  }

  stop(): void {
    this.#fail(canceledError())
  }

  #fetched({ fill }: Promised, value: CompleteValue | Error): void {
    if (value instanceof Error) {
      this.#fail(value)
      return
    }
    if (this.#over) {
      value.dispose()
      return
    }
    fill(value.value)
    this.#decoded.owned.push(value)
    if (--this.#missing > 0) return
    this.#over = true
    this.#done(new OwningValue(this.#decoded.value, this.#decoded.owned))
  }

  #fail(error: Error): void {
    if (this.#over) return
    this.#over = true
    this.#stopAll()
    new OwningValue(undefined, this.#decoded.owned).dispose()
    this.#done(error)
  }

  #stopAll(): void {
    for (const stop of this.#stops.splice(0)) stop()
  }
}

/** Asks for a value that was promised, and completes it in turn. Takes over the capability. */
function fetch(
  { cap, path }: Promised,
  root: string,
  vat: Vat,
  context: CallOrigin,
  fetched: (value: CompleteValue | Error) => void,
  expansion: Expansion,
): Stop {
  const answer = cap.call({ mode: 'get', path, params: new Payload(nil), context })
  cap.release()
  let stop: Stop = () => answer.release()
  answer.subscribe((outcome) => {
    let results: Payload | undefined
    let release: () => void
    try {
      if (outcome instanceof Error) throw outcome
      results = outcome.take()
      release = expansion.addBytes(heldBytesOf(results.length, results.caps.length, results.descriptors.length))
    } catch (error) {
      results?.release()
      fetched(asError(error))
      return
    } finally {
      answer.release()
    }
    const completed = (value: CompleteValue | Error): void => {
      if (value instanceof Error) release()
      fetched(value instanceof Error ? value : new OwningValue(value.value, [value, { [Symbol.dispose]: release }]))
    }
    stop = completeValue(results, root, vat, context, completed, expansion)
  })
  return () => stop()
}

export class OwningValue implements CompleteValue {
  readonly value: unknown
  readonly #owned: readonly Disposable[]

  constructor(value: unknown, owned: readonly Disposable[]) {
    this.value = value
    this.#owned = owned
  }

  get owns(): boolean {
    return this.#owned.length > 0
  }

  dispose(): void {
    for (const disposable of this.#owned) disposable[Symbol.dispose]()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}

function nothingToStop(): void {}
