/**
 * The reader: frames as messages, handed over no faster than the connection takes them.
 */
import { AbstractMessageReader, type DataCallback, type Disposable, type Message } from 'vscode-jsonrpc/node'
import { type PillionError, UsageError } from '../../errors.js'
import { queueMicrotask } from '../../event-loop.js'
import { RpcError } from '../../rpc/index.js'
import type { FrameBatch, FrameStream } from '../../stream/index.js'
import { closeAll, seenByNobody } from '../link/unwanted.js'
import { BackPressure } from './back-pressure.js'
import { type Calls, isAnswer, isSeenWhole } from './calls.js'
import type { Decoded, Encoding, Envelope } from './encoding.js'
import { Ending } from './ending.js'
import { refusal, unanswered } from './error-answers.js'
import { Turns } from './turns.js'

export interface ReaderParts {
  readonly stream: FrameStream
  readonly encoding: Encoding
  readonly calls: Calls
  /** The connection takes answers at once, not in their turn. */
  readonly answersAtOnce: boolean
  /** Answers a request that is not handed over. */
  answer(answer: Message): void
  /** The peer has ended, or the stream has; once. */
  onClose(): void
}

export class FrameMessageReader extends AbstractMessageReader {
  readonly turns: Turns
  readonly #parts: ReaderParts
  readonly #backPressure: BackPressure
  readonly #ending: Ending
  #callback: DataCallback | undefined
  #stopped = false

  constructor(parts: ReaderParts) {
    super()
    this.#parts = parts
    this.turns = new Turns({
      handOver: (fence) => this.#callback?.(fence as Message),
      onTurn: () => this.#turned(),
    })
    const { stream, calls, answersAtOnce } = parts
    const needsMore = () => answersAtOnce && calls.questions.size > 0
    this.#backPressure = new BackPressure({ stream, turns: this.turns, needsMore })
    this.#ending = new Ending({
      turns: this.turns,
      onEnd: () => this.#rejectAll(),
      onClose: (error) => this.#close(error),
    })
    if (answersAtOnce) calls.whenAsked((id) => this.#asked(id))
  }

  /** Nothing is received before. */
  listen(callback: DataCallback): Disposable {
    if (this.#callback !== undefined) throw new UsageError('a reader is listened to once')
    this.#callback = callback
    const { stream } = this.#parts
    this.#ending.watch(stream)
    if (!stream.destroyed) stream.onBatch((batch) => this.#take(batch))
    return { dispose: () => this.#stop() }
  }

  /** What still comes is dropped. */
  override dispose(): void {
    this.#stop()
    this.turns.dispose()
    super.dispose()
  }

  /** That call alone fails, at the end that made it; of a notification, this end is told. */
  refuse({ id, method }: Envelope, error: PillionError): void {
    if (method === undefined) this.#handOver(refusal(id, error), [])
    else if (id === undefined) this.fireError(error)
    else this.#parts.answer(refusal(id, error))
  }

  /** A turn has failed in the connection. */
  failed(error: Error): void {
    if (!this.#stopped) this.fireError(error)
  }

  #take(batch: FrameBatch): void {
    for (let i = 0; i < batch.length && !this.#stopped && !this.#ending.isKnown; i++) {
      let decoded: Decoded
      try {
        decoded = this.#parts.encoding.decode(batch, i)
      } catch (error) {
        this.#parts.stream.destroy(error as Error)
        return
      }
      this.#receive(decoded)
    }
    this.turns.wakeUpEnded()
  }

  #receive({ message, descriptors, lost }: Decoded): void {
    if (lost === undefined) this.#handOver(message, descriptors)
    else this.refuse(message as Envelope, lost)
  }

  #handOver(message: unknown, came: Decoded['descriptors']): void {
    const { calls, answersAtOnce, stream } = this.#parts
    const descriptors = calls.received((message ?? {}) as Envelope, came)
    if (descriptors === undefined) return
    if (descriptors.length > 0 && isAnswer(message as Message) && !isSeenWhole(message as Message)) {
      closeAll(descriptors)
      stream.destroy(seenByNobody())
      return
    }
    const waits = !answersAtOnce || !isAnswer(message as Message)
    if (waits) this.turns.add(message, descriptors)
    try {
      this.#callback?.(message as Message)
    } catch (cause) {
      if (waits) this.turns.refused(message)
      else closeAll(descriptors)
      this.fireError(new RpcError('failed', 'the connection refuses a message', { origin: 'remote', cause }))
    }
    this.turns.added()
    this.#backPressure.update()
  }

  #turned(): void {
    this.#backPressure.update()
    this.#ending.turned()
  }

  /** Where answers come at once, calls may be waiting for this one, and messages for those calls. */
  #asked(id: unknown): void {
    if (this.#ending.isKnown) queueMicrotask(() => this.#reject(id))
    else this.#backPressure.update()
  }

  #reject(id: unknown): void {
    if (!this.#stopped) this.#handOver(unanswered(id), [])
  }

  #rejectAll(): void {
    const { calls, answersAtOnce } = this.#parts
    if (answersAtOnce) for (const id of [...calls.questions]) this.#reject(id)
  }

  #close(error: Error | undefined): void {
    if (error !== undefined) this.fireError(error)
    this.fireClose()
    this.#parts.onClose()
  }

  #stop(): void {
    this.#stopped = true
  }
}
