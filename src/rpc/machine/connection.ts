/**
 * Connection: the state machine of one session: what each message of the peer's does to the tables, and what is sent.
 *
 * Knows messages as objects. What they look like (Wire) and how they travel (RpcTransport) is handed to it; it has no
 * timers. A message that breaks the protocol ends the connection with an Abort, and with it everything outstanding.
 */
import { DescriptorLostError, TooManyDescriptorsError, UsageError } from '../../errors.js'
import type { Descriptor } from '../../transport/index.js'
import type { ContextSource } from '../call-context.js'
import { calledCall } from '../diagnostics.js'
import { asError, RpcError } from '../rpc-error.js'
import type { RpcTransport } from '../transport.js'
import type { Wire } from '../wire/wire.js'
import type { Answer } from './answer.js'
import { Answers, exportsIn } from './answers.js'
import { BrokenCapability } from './broken-capability.js'
import { CapTables } from './cap-tables.js'
import type { CallRequest, Capability } from './capability.js'
import { type Embargo, Embargoes, embargoed } from './embargoes.js'
import { errorOf } from './exceptions.js'
import { Exports } from './exports.js'
import { HeldBytes } from './held-bytes.js'
import type { ImportCapability, ImportHost } from './import-capability.js'
import { Imports } from './imports.js'
import { IncomingCalls } from './incoming-calls.js'
import type { Link } from './link.js'
import { MessageRoom } from './message-room.js'
import {
  type Call,
  type CapDescriptor,
  isReceivers,
  type Message,
  type MessageTarget,
  mostCaps,
  noDescriptors,
  noPath,
  type Resolve,
  type Return,
} from './messages.js'
import { Outbox } from './outbox.js'
import type { Payload } from './payload.js'
import { capabilityAt } from './pipeline-capability.js'
import { Question, type QuestionHost } from './question.js'
import { Questions } from './questions.js'
import type { Vat } from './vat.js'

export interface ConnectionLimits {
  /** Calls of the peer's that are being served. */
  readonly calls: number
  /** Bytes that the peer's calls hold. */
  readonly callBytes: number
  /** Objects that the peer holds. */
  readonly exports: number
  /** Objects of the peer's that are held here. */
  readonly imports: number
  /** Bytes that wait for the peer to read them. */
  readonly queuedBytes: number
}

export interface ConnectionHooks {
  /**
   * It has ended: properly, by either side, or not.
   * @param told somebody who waited has been told why
   */
  onEnd(error: RpcError, abnormal: boolean, told: boolean): void
  /** Something has become of a question or an answer: perhaps all is done. */
  onIdle(): void
  /** Something has arrived, whatever it is. */
  onHeard?(): void
}

export class Connection implements Link, ImportHost, QuestionHost {
  readonly vat: Vat
  readonly tables: CapTables
  readonly room: MessageRoom
  readonly #transport: RpcTransport
  readonly #wire: Wire
  readonly #hooks: ConnectionHooks
  readonly #limits: ConnectionLimits
  readonly #main: Capability
  readonly #outbox: Outbox
  readonly #questions: Questions
  readonly #answers: Answers
  readonly #calls: IncomingCalls
  readonly #exports: Exports
  readonly #imports: Imports
  readonly #embargoes = new Embargoes()
  readonly #context: ContextSource
  #failure: RpcError | undefined
  #failing = false
  #draining: RpcError | undefined

  /** Takes over the transport and a reference to `main`. Nothing is received before `start`. */
  constructor(
    vat: Vat,
    transport: RpcTransport,
    wire: Wire,
    main: Capability,
    context: ContextSource,
    limits: ConnectionLimits,
    hooks: ConnectionHooks,
  ) {
    this.vat = vat
    this.#transport = transport
    this.#wire = wire
    this.#main = main
    this.#context = context
    this.#limits = limits
    this.#hooks = hooks
    this.room = new MessageRoom(transport, wire)
    this.#outbox = new Outbox(transport, wire, limits.queuedBytes, (error) => this.fail(error))
    this.#exports = new Exports(
      {
        describe: (cap) => this.tables.describe(cap),
        sendResolve: (promiseId, resolution) => this.#sendResolve(promiseId, resolution),
      },
      limits.exports,
    )
    this.#imports = new Imports(this, limits.imports)
    const held = new HeldBytes(limits.callBytes)
    this.#answers = new Answers(this, this, limits.calls, held)
    this.#calls = new IncomingCalls(this, this.#answers, this.#exports, main, context, held)
    this.#questions = new Questions(this, this, (id) => this.#answers.get(id))
    this.tables = new CapTables(this, this.#exports, this.#imports, (id) => this.#answers.get(id))
  }

  start(): void {
    this.#transport.start({
      onFrame: (payload, descriptors, lost, stays = false) => {
        this.#hooks.onHeard?.()
        this.#receive(payload, descriptors, lost, stays)
      },
      onBatchEnd: () => this.#outbox.flushAwaited(),
      onEnd: (error) => this.#ended(error),
    })
  }

  /** Why nothing works any more. */
  get failure(): RpcError | undefined {
    return this.#failure
  }

  get stats(): {
    readonly imports: number
    readonly exports: number
    readonly questions: number
    readonly answers: number
    readonly embargoes: number
  } {
    return {
      imports: this.#imports.size,
      exports: this.#exports.size,
      questions: this.#questions.size,
      answers: this.#answers.size,
      embargoes: this.#embargoes.size,
    }
  }

  /** No call is under way in either direction. */
  get idle(): boolean {
    return this.#questions.size === 0 && this.#answers.running === 0
  }

  /** The peer's main object; a reference of the caller's own. */
  bootstrap(): Capability {
    if (this.#failure !== undefined) return new BrokenCapability(this.#failure)
    const question = this.#questions.bootstrap()
    const cap = capabilityAt(question, noPath)
    question.release()
    return cap
  }

  /** Sends what waits for others to leave with, unless they are about to. */
  flushUnawaited(): void {
    this.#outbox.flushUnawaited()
  }

  /** Sends a message that every peer echoes: if it is there, something arrives soon. */
  ping(): void {
    if (this.#failure === undefined) this.send({ type: 'ping' })
  }

  /**
   * From now on new calls of the peer's are refused with `reason`, but for those on what it was given in a call of ours
   * that is under way: they are part of what is to end.
   */
  refuseCalls(reason: RpcError): void {
    this.#draining = reason
  }

  /** Ends the session: everything outstanding fails with `error`. What was sent before still goes. */
  close(error: RpcError): void {
    if (this.#failure === undefined) this.#outbox.flush()
    this.#end(error, false)
  }

  /** The peer has broken the protocol, or a limit: it is told why, and the session ends. */
  fail(thrown: Error): void {
    if (this.#failure !== undefined || this.#failing) return
    this.#failing = true // telling the peer may fail as well, for the same reason
    const error =
      thrown instanceof RpcError ? thrown : new RpcError('failed', thrown.message, { cause: thrown, origin: 'system' })
    this.send(this.room.telling(error, this.vat, (exception) => ({ type: 'abort', exception })))
    this.#outbox.flush()
    this.#end(error, true)
  }

  // ── what the tables ask of it ────────────────────────────────────────────────────────────────────────────────────

  sendCall(target: MessageTarget, request: CallRequest): Answer {
    const called = calledCall(request, this.#context.peer)
    const answer = this.#questions.call(target, request)
    if (called !== undefined) {
      answer.subscribe((outcome) => {
        if (answer.elsewhere) called('passedOn')
        else called(answer.released ? 'canceled' : outcome)
      })
    }
    return answer
  }

  get waitingCalls(): number {
    return this.vat.options.waitingCalls
  }

  cancelQuestion(question: Question): void {
    this.#questions.cancel(question)
  }

  finishQuestion(question: Question): void {
    this.#questions.finish(question)
  }

  releaseImport(cap: ImportCapability, count: number): void {
    this.#imports.forget(cap)
    if (this.#failure !== undefined) return
    this.send({ type: 'release', id: cap.id, referenceCount: count })
  }

  releaseExports(ids: readonly number[]): void {
    for (const id of ids) this.#exports.release(id, 1)
  }

  send(message: Message, descriptors: readonly Descriptor[] = noDescriptors.descriptors, question?: Question): void {
    this.#outbox.push(message, descriptors, question)
  }

  settled(): void {
    this.#hooks.onIdle()
  }

  /** Asks the peer to send word by the way that calls went; what is given to the function runs when it arrives. */
  embargo(target: MessageTarget): Embargo {
    return (onEnd) => {
      const embargoId = this.#embargoes.begin(onEnd)
      this.send({ type: 'disembargo', target, context: 'senderLoopback', embargoId })
    }
  }

  /** Why a payload cannot be sent by this session; whether its message is too long, `room` says. */
  faultOf(payload: Payload): Error | undefined {
    const { maxDescriptors } = this.#transport
    const { descriptors, caps } = payload
    if (payload.lost > 0) {
      return new DescriptorLostError(
        `${payload.lost} descriptors of a call that was to be passed on were lost on the way here`,
      )
    }
    if (descriptors.length > 0 && !this.#transport.carriesDescriptors) {
      return new UsageError('this session carries no descriptors: they travel over Unix sockets alone')
    }
    if (descriptors.length > maxDescriptors) {
      const message = `${descriptors.length} descriptors in one call, the limit is ${maxDescriptors} (maxDescriptors)`
      return new TooManyDescriptorsError(message, maxDescriptors)
    }
    if (caps.length > mostCaps) {
      return new UsageError(`${caps.length} capabilities in one value, the limit is ${mostCaps}`)
    }
    if (!this.tables.hasRoomFor(caps)) {
      return new RpcError(
        'overloaded',
        `${this.#limits.exports} objects are exported, which is the limit (limits.exports)`,
      )
    }
    return undefined
  }

  // ── what the peer says ───────────────────────────────────────────────────────────────────────────────────────────

  #receive(bytes: Uint8Array, descriptors: readonly Descriptor[], lost: number, stays: boolean): void {
    let used = false
    try {
      if (this.#failure !== undefined) return
      const message = this.#wire.decode(bytes)
      if (message.type === 'call' || message.type === 'return') {
        used = true
        const received = descriptors.length === 0 && lost === 0 && !stays ? noDescriptors : { descriptors, lost, stays }
        if (message.type === 'call') this.#calls.onCall(message, bytes.length, received, this.#refusalOf(message))
        else this.#questions.onReturn(message, received)
      } else {
        this.#onMessage(message)
      }
    } catch (error) {
      this.fail(asError(error))
    } finally {
      if (!used) for (const descriptor of descriptors) descriptor.close()
    }
  }

  /** Why a call is not served, if it is not. */
  #refusalOf({ target }: Call): RpcError | undefined {
    if (this.#draining === undefined) return undefined
    const partOfOurs = target.kind === 'importedCap' && this.#questions.paramsName(target.id)
    return partOfOurs ? undefined : this.#draining
  }

  #onMessage(message: Exclude<Message, Call | Return>): void {
    switch (message.type) {
      case 'bootstrap':
        this.#calls.onBootstrap(message.questionId)
        return
      case 'finish':
        this.#answers.finish(message.questionId, message.releaseResultCaps)
        return
      case 'resolve':
        this.#onResolve(message)
        return
      case 'release':
        this.#exports.release(message.id, message.referenceCount)
        return
      case 'disembargo':
        if (message.context === 'receiverLoopback') this.#embargoes.end(message.embargoId)
        else this.#reflect(message.target, message.embargoId)
        return
      case 'abort':
        this.#end(errorOf(message.exception, this.vat), true)
        return
      case 'unimplemented':
        this.#onUnimplemented(message.message)
        return
      default:
        this.#echo(message.type === 'ping' ? this.#wire.encode(message) : message.message)
    }
  }

  /** A kind that is not known here, a ping among them: rpc.capnp has it echoed. */
  #echo(message: Uint8Array): void {
    const echo = { type: 'unimplemented', message: message.slice() } as const
    // It is a byte longer. Cut, it would be no message to its receiver; so it is dropped if it does not fit.
    if (this.room.faultOf(echo) === undefined) this.send(echo)
  }

  #onResolve({ promiseId, resolution }: Resolve): void {
    const promise = this.#imports.get(promiseId)
    if (resolution.kind === 'exception') {
      promise?.resolve(new BrokenCapability(errorOf(resolution.exception, this.vat)))
      return
    }
    const cap = this.tables.receive(resolution.cap)
    if (promise === undefined || promise.released) {
      cap.release() // nobody holds the promise any more
    } else if (isReceivers(resolution.cap) && promise.called && cap.destination !== promise) {
      const target: MessageTarget = { kind: 'importedCap', id: promiseId, transform: noPath }
      promise.resolve(embargoed(cap, this.vat.options.waitingCalls, this.embargo(target)))
    } else {
      promise.resolve(cap)
    }
  }

  /** The peer waits for word by the way that its calls took: on to where they were sent. */
  #reflect(target: MessageTarget, embargoId: number): void {
    const to = this.#whereCallsWent(target)
    if (to === undefined) {
      throw new RpcError('failed', 'a disembargo for what does not lead back to its sender', { origin: 'remote' })
    }
    this.send({ type: 'disembargo', target: to, context: 'receiverLoopback', embargoId }, noDescriptors.descriptors)
  }

  #whereCallsWent({ kind, id, transform }: MessageTarget): MessageTarget | undefined {
    if (kind === 'importedCap') return this.tables.loopbackTarget(this.#exports.get(id))
    const answer = this.#answers.get(id)
    const { source } = answer
    if (transform.length === 0 && source instanceof Question && source.host === this && source.canPipeline) {
      return { kind: 'promisedAnswer', id: source.id, transform }
    }
    if (answer.outcome === undefined) return undefined
    const cap = capabilityAt(answer, transform)
    const to = this.tables.loopbackTarget(cap)
    cap.release()
    return to
  }

  #onUnimplemented(echo: Uint8Array): void {
    const message = this.#wire.decode(echo)
    switch (message.type) {
      case 'ping':
        return // it is there: that something has arrived says so
      case 'bootstrap':
      case 'call':
        this.#questions.onUnimplemented(message.questionId, message.type)
        return
      case 'resolve':
        // The peer goes on by the promise, and will not release what it resolved to.
        if (message.resolution.kind === 'cap') this.releaseExports(exportsIn([message.resolution.cap]))
        return
      default:
        throw new RpcError('failed', `the peer knows no message '${message.type}', which no session works without`, {
          origin: 'remote',
        })
    }
  }

  #sendResolve(promiseId: number, resolution: CapDescriptor | Error): void {
    if (this.#failure !== undefined) return
    let fault: Error | undefined
    if (resolution instanceof Error) {
      fault = resolution
    } else {
      const message = { type: 'resolve', promiseId, resolution: { kind: 'cap', cap: resolution } } as const
      fault = this.room.faultOf(message) // its name may have a path that is longer than a frame
      if (fault === undefined) this.send(message)
    }
    if (fault === undefined) return
    this.send(
      this.room.telling(fault, this.vat, (exception) => ({
        type: 'resolve',
        promiseId,
        resolution: { kind: 'exception', exception },
      })),
    )
  }

  #ended(error: Error | undefined): void {
    const cause = error === undefined ? {} : { cause: error }
    const message = error === undefined ? 'the peer has ended the session' : `the connection is lost: ${error.message}`
    this.#end(new RpcError('disconnected', message, cause), error !== undefined)
  }

  /** Everything ends: first ours, then what others hold of ours. */
  #end(error: RpcError, abnormal: boolean): void {
    if (this.#failure !== undefined) return
    this.#failure =
      error.type === 'disconnected' ? error : new RpcError('disconnected', error.message, { cause: error })
    const told = this.#questions.size > 0 || this.#imports.watched
    this.#outbox.close()
    this.#transport.close()
    this.#questions.break(this.#failure)
    this.#embargoes.break(this.#failure)
    this.#imports.break(this.#failure)
    this.#answers.clear()
    this.#exports.clear()
    this.#main.release()
    this.#hooks.onEnd(error, abnormal, told)
  }
}
