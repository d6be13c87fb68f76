/**
 * Recording what `map` is to run: the function is called once, with a stand-in for the element, and each call that it makes
 * becomes a step of a program. machine/map-runner.ts runs it where the value is.
 */
import { UsageError } from '../../errors.js'
import { Answer } from '../machine/answer.js'
import type { Capability } from '../machine/capability.js'
import type { MapProgram, MapReference, MapStep, MapValue } from '../machine/map-program.js'
import { type CallMode, noPath } from '../machine/messages.js'
import type { Payload } from '../machine/payload.js'
import { PipelineCapability } from '../machine/pipeline-capability.js'
import { encodeValue } from '../values/encode.js'
import { CapabilityReference } from '../values/reference.js'
import { Tag } from '../values/tags.js'
import type { Handle } from './handle.js'
import { type Recorder, recordBy } from './recording.js'

/**
 * What becomes of the mapped value; a reference of the caller's own. Never throws.
 * @param standIn makes the promise that stands for the element
 */
export function recordMap(
  handle: Handle,
  apply: (element: unknown) => unknown,
  standIn: (answer: Answer) => unknown,
): Answer {
  const recorder = new MapRecorder()
  let program: Payload
  try {
    if (typeof apply !== 'function') throw new UsageError('map takes a function')
    const result = recordBy(recorder, () => apply(standIn(recorder.element)))
    program = recorder.finish(result, handle)
  } catch (error) {
    return Answer.failed(error)
  } finally {
    recorder.release()
  }
  return handle.map(program)
}

class MapRecorder implements Recorder {
  /** The element, and then what each step gives. */
  readonly #variables: RecordedAnswer[] = [new RecordedAnswer(0, this)]
  readonly #steps: MapStep[] = []
  readonly #captures: Capability[] = []

  get element(): Answer {
    return (this.#variables[0] as RecordedAnswer).addRef()
  }

  /** A call of the function's. Never throws. */
  record(handle: Handle, mode: 'call' | 'get', args: readonly unknown[] | undefined): Answer {
    return this.#step(handle, mode, () => (args === undefined ? undefined : this.#encode(args, 'args', handle)))
  }

  recordMap(handle: Handle, program: Payload): Answer {
    return this.#step(handle, 'map', () => this.#valueOf(program))
  }

  #step(handle: Handle, mode: CallMode, params: () => MapValue | undefined): Answer {
    try {
      const { cap, path } = handle.pass()
      const subject = this.#referenceTo(cap)
      this.#steps.push({ subject, mode, path: path ?? noPath, params: params() })
    } catch (error) {
      return Answer.failed(error)
    }
    const variable = new RecordedAnswer(this.#variables.length, this)
    this.#variables.push(variable)
    return variable.addRef()
  }

  finish(result: unknown, handle: Handle): Payload {
    if (result instanceof Promise) {
      result.catch(() => {}) // of the await, which can only fail: this error is the one to be told
      throw new UsageError('the function given to map cannot await: it is recorded, not run')
    }
    const program: MapProgram = { steps: this.#steps, result: this.#encode(result, 'result', handle) }
    const captures = this.#captures.map((cap) => new CapabilityReference(Tag.capability, cap))
    const { outgoing, limits } = handle.vat.values
    return encodeValue({ ...program, captures }, 'map', 'lent', outgoing, limits)
  }

  release(): void {
    for (const capture of this.#captures.splice(0)) capture.release()
    const over = new UsageError('what a function given to map was given stands for something there alone')
    for (const variable of this.#variables) {
      variable.settle(over)
      variable.release()
    }
  }

  #encode(value: unknown, root: string, { vat }: Handle): MapValue {
    const { outgoing, limits } = vat.values
    const payload = encodeValue(value, root, 'lent', outgoing, limits)
    if (payload.descriptors.length > 0) {
      payload.release()
      throw new UsageError('a descriptor cannot be used in a function given to map: it would be needed many times')
    }
    return this.#valueOf(payload)
  }

  /** Takes over the payload. */
  #valueOf({ content, caps }: Payload): MapValue {
    return { content, caps: caps.map((cap) => this.#referenceTo(cap)) }
  }

  /** Takes over the reference. */
  #referenceTo(cap: Capability): MapReference {
    // Those of a function around this one are captured: it is recorded as well.
    if (cap instanceof PipelineCapability && cap.answer instanceof RecordedAnswer && cap.answer.recorder === this) {
      const { variable } = cap.answer
      const { path } = cap
      cap.release()
      return { variable, path }
    }
    const known = this.#captures.indexOf(cap)
    if (known >= 0) {
      cap.release()
      return { capture: known }
    }
    this.#captures.push(cap)
    return { capture: this.#captures.length - 1 }
  }
}

/** What a step will give, when the program is run. */
class RecordedAnswer extends Answer {
  readonly variable: number
  readonly recorder: Recorder

  constructor(variable: number, recorder: Recorder) {
    super()
    this.variable = variable
    this.recorder = recorder
  }
}
