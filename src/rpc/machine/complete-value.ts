/**
 * From a payload to a value that is whole: what was promised in it is waited for and put in its place.
 */
import { asError } from '../rpc-error.js'
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

/** Takes over the payload. Calls back once, at once if nothing was promised. */
export function completeValue(
  payload: Payload,
  root: string,
  vat: Vat,
  context: CallOrigin,
  done: (value: CompleteValue | Error) => void,
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
  const all: Disposable[] = [...owned]
  let missing = promised.length
  let failure: Error | undefined
  const arrived = (): void => {
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
      if (outcome instanceof Error) {
        failure ??= outcome
        arrived()
        return
      }
      let results: Payload
      try {
        results = outcome.take()
      } catch (error) {
        failure ??= asError(error)
        arrived()
        return
      }
      completeValue(results, root, vat, context, (value) => {
        if (value instanceof Error) {
          failure ??= value
        } else {
          fill(value.value)
          all.push(value)
        }
        answer.release()
        arrived()
      })
    })
  }
}

function complete(value: unknown, owned: readonly Disposable[]): CompleteValue {
  const dispose = (): void => {
    for (const disposable of owned) disposable[Symbol.dispose]()
  }
  return { value, owns: owned.length > 0, dispose, [Symbol.dispose]: dispose }
}
