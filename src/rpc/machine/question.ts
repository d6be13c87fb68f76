/**
 * Question: a call that was sent to the peer, until it has returned and been finished.
 */
import { Answer } from './answer.js'
import type { CallRequest } from './capability.js'
import { type Call, type MessageTarget, noPath, type Path } from './messages.js'

/** What a question needs of its connection. */
export interface QuestionHost {
  /** Calls that may wait for one promise. */
  readonly waitingCalls: number
  sendCall(target: MessageTarget, request: CallRequest): Answer
  /** Nobody waits for the results any more. */
  cancelQuestion(question: Question): void
  /** It has returned, and nothing refers to it any more. */
  finishQuestion(question: Question): void
}

const nowhere: readonly Path[] = Object.freeze([])

export class Question extends Answer {
  readonly host: QuestionHost
  readonly id: number
  /** Undefined: a bootstrap. */
  readonly message: Call | undefined
  /** Exports that its params named, to be released if its return says so. */
  readonly paramExports: readonly number[]
  /** The message has been encoded: what it says is said. */
  sent = false
  returned = false
  /** The peer's objects that its results named were not received: Finish gives them back. */
  resultsRefused = false
  /** Finish was sent before it returned: whatever it brings is nobody's. */
  canceledByUs = false
  #pipelined: Path[] | undefined
  #pins = 0

  constructor(host: QuestionHost, id: number, message: Call | undefined, paramExports: readonly number[]) {
    super(host.waitingCalls)
    this.host = host
    this.id = id
    this.message = message
    this.paramExports = paramExports
  }

  /** Where calls were sent to, in what it promises. */
  get pipelined(): readonly Path[] {
    return this.#pipelined ?? nowhere
  }

  override get elsewhere(): boolean {
    return this.message?.sendResultsTo === 'yourself'
  }

  /** The peer has said that it keeps the results. It stays a promise here, for calls on it, until it is not needed. */
  get promisedElsewhere(): boolean {
    return this.returned && this.elsewhere && this.outcome === undefined && this.source === this
  }

  /** Whether the peer keeps its results for calls on them. */
  get canPipeline(): boolean {
    if (this.returned) return this.promisedElsewhere
    return !this.sent || this.message?.noPromisePipelining !== true
  }

  /** The peer is told of it as a promise: it stays until `unpin`. */
  pin(): void {
    this.#pins++
    this.willPipeline([])
  }

  unpin(): void {
    if (--this.#pins > 0 || !this.returned || (this.promisedElsewhere && !this.released)) return
    this.host.finishQuestion(this)
  }

  get pinned(): boolean {
    return this.#pins > 0
  }

  /** To the peer, whatever is known of the results by now. Only while it is pinned, or can be pipelined. */
  callAsIs(request: CallRequest): Answer {
    this.willPipeline(request.path)
    return this.host.sendCall({ kind: 'promisedAnswer', id: this.id, transform: noPath }, request)
  }

  willPipeline(path: Path): void {
    if (this.message !== undefined && !this.sent) this.message.noPromisePipelining = false
    this.#pipelined ??= []
    this.#pipelined.push(path)
  }

  protected override callPromised(request: CallRequest): Answer {
    return this.canPipeline ? this.callAsIs(request) : this.wait(request)
  }

  protected override canceled(): void {
    if (!this.returned) this.host.cancelQuestion(this)
    else if (this.#pins === 0) this.host.finishQuestion(this)
    super.canceled()
  }
}
