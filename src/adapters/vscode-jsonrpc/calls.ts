/**
 * The calls of one connection, as far as descriptors are concerned: what was received for one is closed when it has ended,
 * unless somebody took it by then; an answer to nobody's question is closed at once. Knows no stream.
 */
import { Message, type MessageStrategy } from 'vscode-jsonrpc/node'
import type { PillionError } from '../../errors.js'
import type { Descriptor } from '../../stream/index.js'
import { isPlain } from '../link/plain.js'
import { Untaken } from '../link/untaken.js'
import { closeAll } from '../link/unwanted.js'
import type { Envelope } from './encoding.js'
import type { Turns } from './turns.js'

export interface StrategyParts {
  readonly turns: Turns
  /** What the connection's user gave. */
  readonly inner: MessageStrategy | undefined
  /** Tells the peer that a call is not made, or our user. */
  readonly refuse: (call: Envelope, error: PillionError) => void
  /**
   * Takes what a turn failed with, by our own answer as a rule. Given where turns wait for calls: the library's version 9 counts
   * a failed one as running for ever.
   */
  readonly onFailure: ((error: Error) => void) | undefined
}

type Ending = ReturnType<MessageStrategy['handleMessage']>

export class Calls {
  /** Ids of requests that were sent and not answered. */
  readonly #questions = new Set<unknown>()
  /** What those came with that run here, by their messages: a peer may give many the same id. */
  readonly #untaken: Untaken<Message>
  #running = 0
  #onIdle: (() => void) | undefined
  #onQuestion: ((id: unknown) => void) | undefined

  constructor(maxUntaken: number | undefined) {
    this.#untaken = new Untaken(maxUntaken)
  }

  get questions(): ReadonlySet<unknown> {
    return this.#questions
  }

  /** Calls back at each question from now on. */
  whenAsked(callback: (id: unknown) => void): void {
    this.#onQuestion = callback
  }

  sent({ id, method }: Envelope): void {
    if (method === undefined || id === undefined) return
    this.#questions.add(id)
    this.#onQuestion?.(id)
  }

  /** It could not be sent after all. */
  unsent({ id, method }: Envelope): void {
    if (method !== undefined) this.#questions.delete(id)
  }

  /**
   * A message has come: of these descriptors, those of an answer to nobody's question are closed. Undefined: it is not to be
   * handed over. In the library's queue it would take the place of an answer with the same id, whose caller would get it instead.
   */
  received(message: Envelope, descriptors: readonly Descriptor[]): readonly Descriptor[] | undefined {
    const answers = isAnswer(message as Message)
    if (typeof message.method === 'string' && !answers) return descriptors
    if (this.#questions.delete(message.id) || descriptors.length === 0) return descriptors
    closeAll(descriptors)
    return answers ? undefined : none
  }

  /** For a connection's options: it tells when a message has its turn, and when its call has ended. */
  strategy({ turns, inner, refuse, onFailure }: StrategyParts): MessageStrategy {
    return {
      handleMessage: (message, next) => {
        const descriptors = turns.turn(message)
        if (descriptors === undefined) return // ours
        const act = () => (inner === undefined ? next(message) : inner.handleMessage(message, next))
        let ending: Ending
        if (isAnswer(message)) {
          ending = act() // what is in it is the caller's
        } else {
          try {
            this.#untaken.add(message, descriptors)
          } catch (error) {
            refuse(message as Envelope, error as PillionError)
            return
          }
          ending = this.#run(message, act)
        }
        return onFailure === undefined ? ending : Promise.resolve(ending).catch(onFailure)
      },
    }
  }

  /** Calls back once no call runs here, at once where that is so already. */
  whenIdle(callback: () => void): void {
    if (this.#running === 0) callback()
    else this.#onIdle = callback
  }

  #run(message: Message, act: () => Ending): Ending {
    const ended = () => {
      this.#untaken.close(message)
      if (--this.#running === 0) this.#onIdle?.()
    }
    this.#running++
    try {
      const ending = act()
      Promise.resolve(ending).then(ended, ended)
      return ending
    } catch (error) {
      ended()
      throw error
    }
  }
}

/** Whether the library hands the caller all that may be a descriptor in it: its result, or its error's data. */
export function isSeenWhole(answer: Message): boolean {
  if (isPlain(answer, ['jsonrpc', 'id', 'result'])) return true
  if (!isPlain(answer, ['jsonrpc', 'id', 'error'])) return false
  const { error } = answer as { readonly error: unknown }
  return (
    isPlain(error, ['code', 'message', 'data']) && typeof error.code === 'number' && typeof error.message === 'string'
  )
}

/** As the library sees it. */
export function isAnswer(message: Message): boolean {
  return Message.isResponse(message) && !Message.isRequest(message)
}

const none: readonly Descriptor[] = Object.freeze([])
