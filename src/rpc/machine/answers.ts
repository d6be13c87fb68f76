/**
 * Answers: the peer's questions, until it has finished them: what they are called on, what was returned, and what calls
 * on their results go to from then on.
 */

import type { Descriptor } from '../../transport/index.js'
import { RpcError } from '../rpc-error.js'
import { Answer, type Outcome, type OutcomeListener } from './answer.js'
import { type HeldBytes, heldBytesOf } from './held-bytes.js'
import type { Link } from './link.js'
import type { CapDescriptor, Return, ReturnOutcome } from './messages.js'
import { Payload } from './payload.js'
import { PeerTable } from './peer-table.js'
import { Question } from './question.js'
import { Results } from './results.js'

/** A question of the peer's. */
export interface Asked {
  readonly id: number
  /** The peer will send no call on it. */
  readonly forgettable: boolean
  readonly toYourself: boolean
  /** What it holds until it has ended. */
  readonly bytes: number
  /** The peer's objects that the params named were not received: its return gives them back. */
  readonly paramsRefused: boolean
}

const noExports: readonly number[] = Object.freeze([])

class AnswerEntry implements OutcomeListener {
  readonly asked: Asked
  /** Owned; replaced by what was returned, once it was. */
  answer: Answer
  returned = false
  /** Exports that the results named. */
  resultExports = noExports
  /** What the results hold until it is finished. */
  resultBytes = 0
  /** What it counts for while it runs. */
  readonly heldBytes: number
  readonly #ended: (entry: AnswerEntry, outcome: Outcome) => void

  constructor(asked: Asked, answer: Answer, heldBytes: number, ended: (entry: AnswerEntry, outcome: Outcome) => void) {
    this.asked = asked
    this.answer = answer
    this.heldBytes = heldBytes
    this.#ended = ended
  }

  onOutcome(outcome: Outcome): void {
    this.#ended(this, outcome)
  }
}

export class Answers {
  readonly #link: Link
  readonly #host: unknown
  readonly #limit: number
  readonly #entries = new PeerTable<AnswerEntry>()
  /** Of one-way calls that have not ended. */
  readonly #oneWay = new Set<Answer>()
  readonly #held: HeldBytes
  #running = 0
  readonly #onEnded = (entry: AnswerEntry, outcome: Outcome): void => {
    this.#running--
    this.#held.release(entry.heldBytes)
    if (!entry.returned) this.#return(entry, outcome)
  }

  /**
   * @param host what questions of ours turn to that go to the same peer
   * @param limit calls that are served at once
   */
  constructor(link: Link, host: unknown, limit: number, held: HeldBytes) {
    this.#link = link
    this.#host = host
    this.#limit = limit
    this.#held = held
  }

  get size(): number {
    return this.#entries.size
  }

  /** Calls whose methods have not ended, canceled ones too. */
  get running(): number {
    return this.#running
  }

  /** The peer's question. Throws for one that is not open. */
  get(id: number): Answer {
    const entry = this.#entries.get(id)
    if (entry === undefined) throw new RpcError('failed', `there is no open question ${id}`, { origin: 'remote' })
    return entry.answer
  }

  /**
   * Answers a question of the peer's by what `call` gives, and returns it when it is done. Throws for a number that is in
   * use, and for a peer that goes on asking far beyond the limit.
   */
  add(asked: Asked, call: () => Answer): void {
    const { id } = asked
    if (this.#entries.get(id) !== undefined)
      throw new RpcError('failed', `question ${id} is open already`, { origin: 'remote' })
    // What was refused has to be finished as well: a peer that does not would fill the table with that.
    if (this.#entries.size >= 2 * this.#limit) {
      throw new RpcError('overloaded', `more than ${2 * this.#limit} questions are open`, { origin: 'remote' })
    }
    const refusal = this.#running < this.#limit ? this.#held.hold(asked.bytes) : overloaded(this.#limit)
    const answer = refusal === undefined ? call() : Answer.failed(refusal)
    if (this.#link.failure !== undefined) {
      answer.release() // the method has ended the session
      return
    }
    const held = refusal === undefined ? asked.bytes : 0
    const entry = new AnswerEntry(asked, answer, held, this.#onEnded)
    this.#entries.set(id, entry)
    if (this.#passOn(entry)) {
      answer.subscribe(() => this.#held.release(held))
      return
    }
    this.#running++
    answer.subscribe(entry)
  }

  /** Serves a call that is never returned. Throws where another one would be refused: what was lost could not be told. */
  serveOneWay(bytes: number, call: () => Answer): void {
    if (this.#running >= this.#limit) throw overloaded(this.#limit)
    this.#running++
    const answer = call()
    if (answer.outcome !== undefined) {
      // It holds nothing any more: a chunk of a stream has gone to where its window bounds it.
      this.#running--
      answer.release()
      this.#link.settled()
      return
    }
    this.#oneWay.add(answer)
    const refusal = this.#held.hold(bytes)
    const held = refusal === undefined ? bytes : 0
    answer.subscribe(() => {
      this.#running--
      this.#held.release(held)
      if (this.#oneWay.delete(answer)) answer.release() // held until then: let go of, it would be canceled
      this.#link.settled()
    })
    if (refusal !== undefined) throw refusal
  }

  /** The peer is done with a question; one that has not returned is canceled. */
  finish(id: number, releaseResultCaps: boolean): void {
    const entry = this.#entries.get(id)
    if (entry === undefined) return // forgotten when it returned, and finished all the same
    this.#entries.delete(id)
    this.#held.release(entry.resultBytes)
    const { returned } = entry
    if (!returned) {
      entry.returned = true
      this.#send(entry, { kind: 'canceled' }, true)
    }
    entry.answer.release()
    if (returned && releaseResultCaps) this.#link.releaseExports(entry.resultExports)
  }

  clear(): void {
    for (const entry of this.#entries.clear()) {
      entry.returned = true
      entry.answer.release()
    }
    const oneWay = [...this.#oneWay]
    this.#oneWay.clear()
    for (const answer of oneWay) answer.release()
  }

  /**
   * A tail call: the method has returned what it asked of the peer itself, in a call that is not on its way yet. The peer
   * keeps those results, and takes them from there.
   */
  #passOn(entry: AnswerEntry): boolean {
    // If somebody here wants to know the results as well, they have to come here.
    const source = entry.answer.soleSource
    if (!(source instanceof Question) || source.message === undefined || source.sent || entry.asked.toYourself)
      return false
    if (source.host !== this.#host || source.outcome !== undefined) return false
    source.message.sendResultsTo = 'yourself'
    source.willPipeline([])
    entry.returned = true
    this.#send(entry, { kind: 'takeFromOtherQuestion', questionId: source.id }, false)
    return true
  }

  #return(entry: AnswerEntry, outcome: Results | Error): void {
    if (this.#link.failure !== undefined) return
    entry.returned = true
    const { forgettable } = entry.asked
    if (entry.asked.toYourself) {
      this.#send(entry, { kind: 'resultsSentElsewhere' }, false)
      return
    }
    const fault = outcome instanceof Error ? outcome : this.#returnResults(entry, outcome)
    if (fault === undefined) return
    const { vat, room } = this.#link
    const told = room.telling(fault, vat, (exception) => returned(entry, { kind: 'exception', exception }, forgettable))
    this.#sendReturn(told, [])
    if (forgettable) this.#forget(entry)
  }

  /** Why there is no room to keep the results until they are finished. */
  #keep(entry: AnswerEntry, { length, caps, descriptors }: Payload): RpcError | undefined {
    if (entry.asked.forgettable && caps.length === 0) return undefined
    const bytes = heldBytesOf(length, caps.length, descriptors.length)
    const refusal = this.#held.hold(bytes)
    if (refusal === undefined) entry.resultBytes = bytes
    return refusal
  }

  /** Why they cannot be returned, if they cannot: then they have been released. */
  #returnResults(entry: AnswerEntry, results: Results): Error | undefined {
    let payload: Payload
    try {
      payload = results.take()
    } catch (error) {
      return error as Error // a descriptor cannot be duplicated
    }
    const fault = this.#link.faultOf(payload) ?? this.#keep(entry, payload)
    if (fault !== undefined) {
      payload.release()
      return fault
    }
    const described = this.#link.tables.describeAll(payload)
    const { wire, pinned } = described
    const forgotten = entry.asked.forgettable && pinned.length === 0
    const message = returned(entry, { kind: 'results', payload: wire }, forgotten)
    const tooLarge = this.#link.room.faultOf(message)
    if (tooLarge !== undefined) {
      this.#link.tables.takeBack(described)
      payload.closeDescriptors()
      this.#held.release(entry.resultBytes)
      entry.resultBytes = 0
      return tooLarge
    }
    // Calls that are on their way already may have them as arguments.
    const descriptors = entry.asked.forgettable ? [] : duplicates(payload.descriptors)
    entry.resultExports = exportsIn(wire.capTable)
    this.#sendReturn(message, payload.descriptors)
    if (forgotten) {
      this.#forget(entry)
      return undefined
    }
    const kept = Answer.of(
      new Results(new Payload(payload.content, pinned, descriptors), this.#link.vat.values, 'table'),
    )
    const { answer } = entry
    entry.answer = kept
    answer.release()
    return undefined
  }

  #forget(entry: AnswerEntry): void {
    this.#entries.delete(entry.asked.id)
    this.#held.release(entry.resultBytes)
    entry.answer.release()
  }

  #send(entry: AnswerEntry, outcome: ReturnOutcome, noFinishNeeded: boolean): void {
    this.#sendReturn(returned(entry, outcome, noFinishNeeded), [])
  }

  #sendReturn(message: Return, descriptors: readonly Descriptor[]): void {
    this.#link.send(message, descriptors)
    this.#link.settled()
  }
}

function returned({ asked }: AnswerEntry, outcome: ReturnOutcome, noFinishNeeded: boolean): Return {
  return { type: 'return', answerId: asked.id, releaseParamCaps: asked.paramsRefused, noFinishNeeded, outcome }
}

/** The ids that a payload names, for each time that it does. */
export function exportsIn(capTable: readonly CapDescriptor[]): readonly number[] {
  if (capTable.length === 0) return noExports
  if (capTable.length === 1)
    return isSenders(capTable[0] as CapDescriptor) ? [(capTable[0] as CapDescriptor).id] : noExports
  return capTable.filter(isSenders).map(({ id }) => id)
}

function isSenders({ kind }: CapDescriptor): boolean {
  return kind === 'senderHosted' || kind === 'senderPromise'
}

/** None of them, if there is no room for all: what the caller asked for goes first. */
function duplicates(descriptors: readonly Descriptor[]): readonly Descriptor[] {
  if (descriptors.length === 0) return descriptors
  const kept: Descriptor[] = []
  try {
    for (const descriptor of descriptors) kept.push(descriptor.dup())
    return kept
  } catch {
    for (const descriptor of kept) descriptor.close()
    return []
  }
}

function overloaded(limit: number): RpcError {
  return new RpcError('overloaded', `${limit} calls are being served, which is the limit (limits.calls)`)
}
