/**
 * Running a program that was recorded by `map` on each element of a value.
 */
import { asError, RpcError } from '../rpc-error.js'
import { decodeTree } from '../values/decode.js'
import { encodeValue } from '../values/encode.js'
import { CapabilityReference } from '../values/reference.js'
import { Answer } from './answer.js'
import type { CallOrigin, Capability } from './capability.js'
import { type CompleteValue, completeValue, Expansion, type Stop } from './complete-value.js'
import type { MapProgram, MapReference, MapStep, MapValue } from './map-program.js'
import type { Path } from './messages.js'
import { nil, Payload } from './payload.js'
import { capabilityAt } from './pipeline-capability.js'
import { Results } from './results.js'
import type { Vat } from './vat.js'

/** Calls that one run may make, with the maps in it, and capabilities that it may pass on: elements times what the program has of them. */
const mostCalls = 10_000
/** The program's own values, once for each element. */
const mostBytes = 64 * 1024 * 1024

/** Takes over both payloads. Never throws. */
export function runMap(vat: Vat, input: Payload, program: Payload, context: CallOrigin): Answer {
  const answer = new MapAnswer(vat.options.waitingCalls)
  try {
    run(vat, input, program, context, answer)
  } catch (error) {
    answer.settle(asError(error))
  }
  return answer
}

/** What becomes of a run. Nobody needs it any more: neither what it still waits for. */
class MapAnswer extends Answer {
  readonly #stops: Stop[] = []

  stopBy(stop: Stop): void {
    this.#stops.push(stop)
  }

  protected override canceled(): void {
    super.canceled()
    for (const stop of this.#stops.splice(0)) stop()
  }
}

function run(vat: Vat, input: Payload, program: Payload, context: CallOrigin, answer: MapAnswer): void {
  const end = (): void => {
    input.release()
    program.release()
  }
  try {
    const { steps, result, captures } = parse(decodeTree(program, vat.values.limits))
    const value = decodeTree(input, vat.values.limits)
    const elements = Array.isArray(value) ? value : value === null || value === undefined ? [] : [value]
    const cost = costOf(steps, result)
    const budget = context.mapBudget ?? { calls: mostCalls, bytes: mostBytes }
    budget.calls -= elements.length * cost.calls
    budget.bytes -= elements.length * cost.bytes
    if (budget.calls < 0 || budget.bytes < 0) {
      const each = `${steps.length} steps, ${cost.bytes} bytes`
      throw new RpcError('overloaded', `a map of ${elements.length} elements, ${each} each, is over what one may cost`)
    }
    const expansion = new Expansion(context.held, mostCalls)
    const gathered: (CompleteValue | Error | undefined)[] = elements.map(() => undefined)
    let missing = elements.length
    const settle = (): void => {
      if (missing > 0) return
      end()
      const single = Array.isArray(value) ? undefined : { value: elements.length === 0 ? value : undefined }
      answer.settle(resultsOf(vat, gathered as (CompleteValue | Error)[], single))
    }
    for (const [i, element] of elements.entries()) {
      const done = (mapped: CompleteValue | Error): void => {
        gathered[i] = mapped
        missing--
        settle()
      }
      let payload: Payload
      try {
        payload = encodeValue(element, 'element', 'lent', vat.values.outgoing, vat.values.limits)
      } catch (error) {
        done(asError(error)) // a descriptor in it cannot be duplicated
        continue
      }
      const origin = { ...context, mapBudget: budget }
      answer.stopBy(runOn(vat, payload, steps, result, captures, origin, expansion, done))
    }
    if (elements.length === 0) settle()
  } catch (error) {
    end()
    throw error
  }
}

/** What running a program on one element takes. */
function costOf(steps: readonly MapStep[], result: MapValue): { readonly calls: number; readonly bytes: number } {
  const values = [...steps.map(({ params }) => params), result].filter((value) => value !== undefined)
  return {
    calls: values.reduce((sum, { caps }) => sum + caps.length, steps.length + 1),
    bytes: values.reduce((sum, { content }) => sum + content.length, 0),
  }
}

/** Takes over the element. */
function runOn(
  vat: Vat,
  element: Payload,
  steps: readonly MapStep[],
  result: MapValue,
  captures: readonly Capability[],
  context: CallOrigin,
  expansion: Expansion,
  done: (value: CompleteValue | Error) => void,
): Stop {
  const variables = [Answer.of(new Results(element, vat.values))]
  const capOf = (reference: MapReference): Capability => {
    if ('capture' in reference) return (captures[reference.capture] as Capability).addRef()
    return capabilityAt(variables[reference.variable] as Answer, reference.path)
  }
  const origin: CallOrigin = { ...context, session: undefined }
  for (const { subject, mode, path, params } of steps) {
    const payload = params === undefined ? new Payload(nil) : new Payload(params.content, params.caps.map(capOf))
    const target = capOf(subject)
    variables.push(target.call({ mode, path, params: payload, context: origin }))
    target.release()
  }
  const mapped = new Payload(result.content, result.caps.map(capOf))
  const completed = (value: CompleteValue | Error): void => {
    for (const variable of variables) variable.release()
    done(value)
  }
  return completeValue(mapped, 'result', vat, origin, completed, expansion)
}

/** @param single the value was no array: what stands for nothing mapped */
function resultsOf(
  vat: Vat,
  gathered: readonly (CompleteValue | Error)[],
  single: { readonly value: unknown } | undefined,
): Results | Error {
  const values = gathered.filter((value): value is CompleteValue => !(value instanceof Error))
  const failure = gathered.find((value): value is Error => value instanceof Error)
  try {
    if (failure !== undefined) return failure
    const all = values.map(({ value }) => value)
    const { outgoing, limits } = vat.values
    const value = single === undefined ? all : all.length === 1 ? all[0] : single.value
    return new Results(encodeValue(value, 'result', 'moved', outgoing, limits), vat.values)
  } catch (error) {
    return asError(error)
  } finally {
    for (const value of values) value.dispose()
  }
}

/** The peer's program, of which nothing is taken on trust. */
function parse(value: unknown): MapProgram & { readonly captures: readonly Capability[] } {
  const { steps, result, captures } = record(value)
  const caps = array(captures).map((capture) => {
    if (!(capture instanceof CapabilityReference)) throw refused('a capture that is no capability')
    return capture.cap
  })
  const stepsParsed = array(steps).map((step, i): MapStep => {
    const { subject, mode, path, params } = record(step)
    if (mode !== 'call' && mode !== 'get' && mode !== 'map') throw refused('a step that is no call')
    if (mode === 'map' && params === undefined) throw refused('a map without a program')
    return {
      subject: reference(subject, i, caps.length),
      mode,
      path: pathOf(path),
      params: params === undefined ? undefined : mapValueOf(params, i, caps.length),
    }
  })
  return { steps: stepsParsed, result: mapValueOf(result, stepsParsed.length, caps.length), captures: caps }
}

function mapValueOf(value: unknown, step: number, captures: number): MapValue {
  const { content, caps } = record(value)
  if (!(content instanceof Uint8Array)) throw refused('a value without content')
  return { content, caps: array(caps).map((cap) => reference(cap, step, captures)) }
}

/** @param step number of steps before it, to which it may refer */
function reference(value: unknown, step: number, captures: number): MapReference {
  const { variable, path, capture } = record(value)
  if (isIndex(capture, captures)) return { capture }
  if (isIndex(variable, step + 1)) return { variable, path: pathOf(path) }
  throw refused('a reference to what is not there')
}

function isIndex(value: unknown, length: number): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < length
}

function pathOf(value: unknown): Path {
  const path = array(value)
  if (path.every((item) => typeof item === 'string' || isIndex(item, 0xffff_ffff))) return path as Path
  throw refused('a path that is none')
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) {
    throw refused('a part that is no object')
  }
  return value as Record<string, unknown>
}

function array(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw refused('a part that is no array')
  return value
}

function refused(what: string): RpcError {
  return new RpcError('failed', `a map that cannot be run: ${what}`, { origin: 'remote' })
}
