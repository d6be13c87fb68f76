/**
 * IncomingCalls: from the peer's call to what it is called on.
 */
import { now } from '../call-clock.js'
import type { RpcError } from '../rpc-error.js'
import { encodeValue } from '../values/encode.js'
import { keptCopy } from '../values/kept-copy.js'
import { CapabilityReference } from '../values/reference.js'
import { Tag } from '../values/tags.js'
import { Answer } from './answer.js'
import type { Answers, Asked } from './answers.js'
import type { CallOrigin, Capability } from './capability.js'
import type { Exports } from './exports.js'
import { type HeldBytes, heldBytesOf } from './held-bytes.js'
import type { Link } from './link.js'
import { LocalCapability } from './local-capability.js'
import { type Call, isOneWay, type ReceivedDescriptors } from './messages.js'
import { Payload } from './payload.js'
import { Results } from './results.js'

export class IncomingCalls {
  readonly #link: Link
  readonly #answers: Answers
  readonly #exports: Exports
  readonly #main: Capability
  /** Of a call that has nothing more: what methods are told of their session. */
  readonly #origin: CallOrigin

  /** Borrows the main object. */
  constructor(link: Link, answers: Answers, exports: Exports, main: Capability, context: unknown, held: HeldBytes) {
    this.#link = link
    this.#answers = answers
    this.#exports = exports
    this.#main = main
    this.#origin = { deadline: 0, trace: undefined, session: context, held }
  }

  /** The peer asks for the main object. */
  onBootstrap(questionId: number): void {
    const asked = { id: questionId, forgettable: false, toYourself: false, bytes: 0, paramsRefused: false }
    this.#answers.add(asked, () => Answer.of(this.#mainResults()))
  }

  /**
   * A call of the peer's. Owns the descriptors. Throws for what breaks the protocol.
   * @param length of the message, in bytes
   * @param refusal why it is not served, if it is not
   */
  onCall(call: Call, length: number, received: ReceivedDescriptors, refusal: RpcError | undefined): void {
    const overloaded = this.#link.tables.faultOfNames(call.params.capTable)
    if (overloaded !== undefined) {
      for (const descriptor of received.descriptors) descriptor.close()
      this.#refuseParams(call, overloaded)
      return
    }
    let params: Payload | undefined
    let taken = false
    try {
      // The message's own references come first: a fault in them must find nothing done.
      const caps = this.#link.tables.receiveAll(call.params.capTable)
      params = new Payload(call.params.content, caps, received.descriptors, received.lost)
      params.stays = received.stays
      const context = this.#originOf(call)
      const serve = (): Answer => {
        if (refusal !== undefined) return Answer.failed(refusal)
        taken = true
        return this.#callTarget(call, params as Payload, context)
      }
      const bytes = heldBytesOf(length, caps.length, received.descriptors.length + received.lost)
      if (isOneWay(call)) this.#answers.serveOneWay(bytes, serve)
      else this.#answers.add(askedBy(call, bytes, false), serve)
    } finally {
      if (!taken) {
        if (params === undefined) for (const descriptor of received.descriptors) descriptor.close()
        else params.release()
      }
    }
  }

  /** None of what the params name is taken note of. */
  #refuseParams(call: Call, error: RpcError): void {
    if (isOneWay(call)) throw error // the caller would never be told
    this.#answers.add(askedBy(call, 0, true), () => Answer.failed(error))
  }

  #callTarget(call: Call, params: Payload, context: CallOrigin): Answer {
    const { target, mode, method } = call
    const oneWay = isOneWay(call)
    try {
      if (target.kind === 'importedCap') {
        const cap = this.#exports.get(target.id)
        // Whoever decodes at once can do so where the bytes lie; all others need them for longer.
        const path = target.transform.length === 0 ? method : [...target.transform, ...method]
        const { resolved } = cap
        const atOnce = mode === 'call' && resolved instanceof LocalCapability && resolved.servesAtOnce
        const at = atOnce ? params : kept(params)
        return cap.call({ mode, path, params: at, context, oneWay })
      }
      const path = target.transform.length === 0 ? method : [...target.transform, ...method]
      return this.#answers.get(target.id).call({ mode, path, params: kept(params), context, oneWay })
    } catch (error) {
      params.release()
      throw error
    }
  }

  #originOf({ deadline, trace }: Call): CallOrigin {
    if (deadline === 0 && trace === undefined) return this.#origin
    return { ...this.#origin, deadline: deadline === 0 ? 0 : now() + deadline, trace }
  }

  #mainResults(): Results {
    const { outgoing, limits } = this.#link.vat.values
    return new Results(
      encodeValue(new CapabilityReference(Tag.capability, this.#main), 'main', 'lent', outgoing, limits),
      this.#link.vat.values,
    )
  }
}

function askedBy(call: Call, bytes: number, paramsRefused: boolean): Asked {
  const { questionId, noPromisePipelining, sendResultsTo } = call
  const toYourself = sendResultsTo === 'yourself'
  return { id: questionId, forgettable: noPromisePipelining, toYourself, bytes, paramsRefused }
}

function kept(params: Payload): Payload {
  if (params.stays) return params
  return new Payload(keptCopy(params.content), params.caps, params.descriptors, params.lost)
}
