/**
 * Questions: our calls on the peer, until they have returned and been finished.
 */
import { now } from '../call-clock.js'
import { RpcError } from '../rpc-error.js'
import { keptCopy } from '../values/kept-copy.js'
import { Answer } from './answer.js'
import { exportsIn } from './answers.js'
import type { CallRequest, Capability } from './capability.js'
import { embargoCapabilities } from './embargoes.js'
import { errorOf } from './exceptions.js'
import { IdTable } from './id-table.js'
import { ImportCapability } from './import-capability.js'
import type { Link } from './link.js'
import {
  type Call,
  isReceivers,
  type MessageTarget,
  mostPathItems,
  noPath,
  type Path,
  type ReceivedDescriptors,
  type Return,
  type WirePayload,
} from './messages.js'
import { nil, Payload } from './payload.js'
import { Question, type QuestionHost } from './question.js'
import { Results } from './results.js'

export class Questions {
  readonly #link: Link
  readonly #host: QuestionHost
  readonly #answerOf: (questionId: number) => Answer
  readonly #open = new IdTable<Question>()

  /**
   * @param host what the questions turn to
   * @param answerOf a question of the peer's; throws for one that is not open
   */
  constructor(link: Link, host: QuestionHost, answerOf: (questionId: number) => Answer) {
    this.#link = link
    this.#host = host
    this.#answerOf = answerOf
  }

  get size(): number {
    return this.#open.size
  }

  /** Whether an export was named in the params of a call that has not returned. */
  paramsName(exportId: number): boolean {
    return this.#open.values().some(({ returned, paramExports }) => !returned && paramExports.includes(exportId))
  }

  /** Asks for the peer's main object. The caller's own. */
  bootstrap(): Question {
    const question = this.#open.add((id) => new Question(this.#host, id, undefined, []))
    question.sent = true
    this.#link.send({ type: 'bootstrap', questionId: question.id })
    return question
  }

  /** Sends a call. Owns the request's params. */
  call(target: MessageTarget, request: CallRequest): Answer {
    const { params } = request
    const fault = this.#link.failure ?? faultIn(request.path) ?? this.#link.faultOf(params)
    if (fault !== undefined) {
      params.release()
      return Answer.failed(fault)
    }
    const described = this.#link.tables.describeAll(params)
    const { wire, pinned } = described
    const id = request.oneWay === true ? 0 : this.#open.nextId
    const message = callMessage(id, target, request, wire)
    const tooLarge = this.#link.room.faultOf(message)
    if (tooLarge !== undefined) {
      this.#link.tables.takeBack(described)
      params.closeDescriptors()
      return Answer.failed(tooLarge)
    }
    if (request.oneWay === true) {
      this.#link.send(message, params.descriptors)
      release(pinned)
      return Answer.of(new Results(new Payload(nil), this.#link.vat.values))
    }
    const question = new Question(this.#host, id, message, exportsIn(wire.capTable))
    this.#open.put(id, question)
    // The names are in the message now, and stay good until what is released is told, behind it.
    this.#link.send(message, params.descriptors, question)
    release(pinned)
    return question
  }

  /** Nobody waits for it any more, and it has not returned. */
  cancel(question: Question): void {
    if (this.#link.failure !== undefined) return
    question.canceledByUs = true
    this.#link.send({ type: 'finish', questionId: question.id, releaseResultCaps: true })
  }

  /** It has returned, and its results are held here by themselves; or nobody wants to use them where they are. */
  finish(question: Question): void {
    if (this.#link.failure !== undefined || this.#open.get(question.id) !== question) return
    this.#open.delete(question.id)
    this.#link.send({ type: 'finish', questionId: question.id, releaseResultCaps: question.resultsRefused })
    if (question.promisedElsewhere) question.settle(new Results(new Payload(nil), this.#link.vat.values))
  }

  /** The peer has returned. Owns the descriptors. Throws for what breaks the protocol. */
  onReturn(message: Return, received: ReceivedDescriptors): void {
    let taken = false
    try {
      const question = this.#open.get(message.answerId)
      if (question === undefined || question.returned) {
        throw new RpcError('failed', `question ${message.answerId} is not open`, { origin: 'remote' })
      }
      question.returned = true
      if (message.releaseParamCaps) this.#link.releaseExports(question.paramExports)
      if (question.canceledByUs) {
        this.#open.delete(question.id)
        return
      }
      taken = message.outcome.kind === 'results'
      this.#settle(question, message, received)
      if (message.noFinishNeeded) this.#open.delete(question.id)
      else if (!question.pinned && !question.promisedElsewhere) this.finish(question)
    } finally {
      if (!taken) for (const descriptor of received.descriptors) descriptor.close()
      this.#link.settled()
    }
  }

  /** The peer does not know the message that asked. */
  onUnimplemented(id: number, type: string): void {
    const question = this.#open.get(id)
    if (question === undefined || question.returned) return
    question.returned = true
    this.#open.delete(id)
    question.settle(new RpcError('unimplemented', `the peer knows no message '${type}'`, { origin: 'remote' }))
    this.#link.releaseExports(question.paramExports) // it cannot have taken note of them
  }

  /** The session has ended. */
  break(error: RpcError): void {
    for (const question of this.#open.clear()) {
      question.returned = true
      question.settle(error)
    }
  }

  #settle(question: Question, { outcome, noFinishNeeded }: Return, received: ReceivedDescriptors): void {
    switch (outcome.kind) {
      case 'results': {
        const overloaded = this.#link.tables.faultOfNames(outcome.payload.capTable)
        if (overloaded !== undefined) this.#refuse(question, overloaded, noFinishNeeded, received)
        else question.settle(this.#resultsOf(question, outcome.payload, received))
        return
      }
      case 'takeFromOtherQuestion':
        this.#takeFrom(question, outcome.questionId)
        return
      case 'exception':
        question.settle(errorOf(outcome.exception, this.#link.vat))
        return
      case 'canceled':
        question.settle(new RpcError('failed', 'the callee has canceled the call', { origin: 'remote' }))
        return
      case 'resultsSentElsewhere':
        if (!question.elsewhere) {
          throw new RpcError('failed', `the results of question ${question.id} went elsewhere unasked`, {
            origin: 'remote',
          })
        }
      // What calls on it find is known there: the question stays open for them, until it is released.
    }
  }

  /** Owns the descriptors. Throws where the results cannot be given back. */
  #refuse(question: Question, error: RpcError, noFinishNeeded: boolean, { descriptors }: ReceivedDescriptors): void {
    for (const descriptor of descriptors) descriptor.close()
    if (noFinishNeeded) throw error
    question.resultsRefused = true
    question.settle(error)
  }

  /** The results, in which capabilities that lie nearer than the way that calls on them went stand behind an embargo. */
  #resultsOf(
    question: Question,
    wire: WirePayload,
    { descriptors, lost, stays }: ReceivedDescriptors,
  ): Results | Error {
    const { tables, vat } = this.#link
    let caps: readonly Capability[]
    try {
      caps = tables.receiveAll(wire.capTable)
    } catch (error) {
      for (const descriptor of descriptors) descriptor.close()
      throw error
    }
    const payload = new Payload(stays ? wire.content : keptCopy(wire.content), caps, descriptors, lost)
    if (question.pipelined.length > 0) {
      // Promises among them may turn out to be ours while calls that went by the answer are still on their way there.
      for (const cap of caps) if (cap instanceof ImportCapability) cap.called = true
    }
    if (question.pipelined.length === 0 || !wire.capTable.some(isReceivers)) return new Results(payload, vat.values)
    const own = wire.capTable.map(isReceivers)
    const embargoed = embargoCapabilities(payload, vat, own, question.pipelined, (path) =>
      this.#link.embargo({ kind: 'promisedAnswer', id: question.id, transform: path }),
    )
    return embargoed instanceof Error ? embargoed : new Results(embargoed, vat.values)
  }

  /** A tail call of the peer's: what it asked us is what we asked it. */
  #takeFrom(question: Question, questionId: number): void {
    const other = this.#answerOf(questionId)
    if (other.source === question) {
      throw new RpcError('failed', `question ${question.id} is to take its results from itself`, { origin: 'remote' })
    }
    other.addRef()
    if (question.pipelined.length === 0) {
      question.follow(other)
      return
    }
    // Calls on it went to the peer and come back behind what it has sent on: what is called here now has to wait for that.
    const held = new Answer(this.#link.vat.options.waitingCalls)
    this.#link.embargo({ kind: 'promisedAnswer', id: question.id, transform: noPath })((lost) => {
      if (lost === undefined) {
        held.follow(other)
      } else {
        held.settle(lost)
        other.release()
      }
    })
    question.follow(held)
  }
}

function release(caps: readonly Capability[]): void {
  for (let i = 0; i < caps.length; i++) (caps[i] as Capability).release()
}

function callMessage(questionId: number, target: MessageTarget, request: CallRequest, params: WirePayload): Call {
  const { mode, path, context, oneWay } = request
  return {
    type: 'call',
    questionId,
    target,
    mode,
    method: path,
    params,
    noPromisePipelining: true,
    onlyPromisePipeline: oneWay === true,
    sendResultsTo: 'caller',
    deadline: context.deadline === 0 ? 0 : millisecondsTo(context.deadline),
    trace: context.trace,
  }
}

/** Paths are joined on their way, also by others' calls: one that its receiver would refuse must not end this session. */
function faultIn(path: Path): RpcError | undefined {
  if (path.length <= mostPathItems) return undefined
  return new RpcError('failed', `a path of ${path.length} names, the limit is ${mostPathItems}`)
}

/** As a message has it: a peer may have named the longest that there is, and sums of such are rounded. */
function millisecondsTo(deadline: number): number {
  return Math.min(Math.max(1, Math.ceil(deadline - now())), Number.MAX_SAFE_INTEGER)
}
