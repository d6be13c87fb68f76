/**
 * From a payload to a value that is whole: what was promised in it is waited for and put in its place.
 */
import { asError, RpcError } from '../rpc-error.js'
import { type Decoded, decodeValue } from '../values/decode.js'
import type { CallOrigin } from './capability.js'
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
  #promises = 0
  #bytes = 64 * 1024 * 1024

  constructor(mostPromises = 1000) {
    this.#mostPromises = mostPromises
  }

  /** Throws RpcError `overloaded` for one too many. */
  addPromises(count: number): void {
    this.#promises += count
    if (this.#promises > this.#mostPromises) {
      throw new RpcError('overloaded', `a value with more than ${this.#mostPromises} promises in it`)
    }
  }

  /** Throws RpcError `overloaded` for too many. */
  addBytes(count: number): void {
    this.#bytes -= count
    if (this.#bytes < 0) throw new RpcError('overloaded', 'what a value was promised comes to more than 64 MiB')
  }
}

/**
 * Takes over the payload. Calls back once, at once if nothing was promised.
 * @param expansion of the whole that the value is a part of
 */
export function completeValue(
  payload: Payload,
  root: string,
  vat: Vat,
  context: CallOrigin,
  done: (value: CompleteValue | Error) => void,
  expansion: Expansion = new Expansion(),
): void {
  let decoded: Decoded
  try {
    decoded = decodeValue(payload, vat.incoming, vat.values.limits)
  } catch (error) {
    done(asError(error))
    return
  }
  const { owned, promised } = decoded
  if (promised.length === 0) {
    done(complete(decoded.value, owned))
    return
  }
  try {
    expansion.addPromises(promised.length)
  } catch (error) {
    for (const { cap } of promised) cap.release()
    complete(undefined, owned).dispose()
    done(asError(error))
    return
  }
  const all: Disposable[] = [...owned]
  let missing = promised.length
  let failure: Error | undefined
  const arrived = (fault: Error | undefined): void => {
    failure ??= fault
    if (--missing > 0) return
    const value = complete(decoded.value, all)
    if (failure === undefined) {
      done(value)
    } else {
      value.dispose()
      done(failure)
    }
  }
  for (const { cap, path, fill } of promised) {
    const answer = cap.call({ mode: 'get', path, params: new Payload(nil), context })
    cap.release()
    answer.subscribe((outcome) => {
      if (outcome instanceof Error || failure !== undefined) {
        answer.release()
        arrived(outcome instanceof Error ? outcome : undefined)
        return
      }
      let results: Payload | undefined
      try {
        results = outcome.take()
        expansion.addBytes(results.content.length)
      } catch (error) {
        results?.release()
        answer.release()
        arrived(asError(error))
        return
      }
      const completed = (value: CompleteValue | Error): void => {
        answer.release()
        if (value instanceof Error) {
          arrived(value)
        } else {
          fill(value.value)
          all.push(value)
          arrived(undefined)
        }
      }
      completeValue(results, root, vat, context, completed, expansion)
    })
  }
}

function complete(value: unknown, owned: readonly Disposable[]): CompleteValue {
  const dispose = (): void => {
    for (const disposable of owned) disposable[Symbol.dispose]()
  }
  return { value, owns: owned.length > 0, dispose, [Symbol.dispose]: dispose }
}
