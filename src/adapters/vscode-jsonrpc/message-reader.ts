/**
 * The reader: frames as messages, handed over no faster than the connection takes them.
 *
 * vscode-jsonrpc queues what it is given, without a bound, and takes one message out a turn of the loop. It shows that queue
 * to nobody and forgets it when it is disposed of. So the turns are counted here: to hold back a peer that sends more, and
 * to say that the stream has ended only when all that came before has had its turn.
 */
import {
  AbstractMessageReader,
  type DataCallback,
  type Disposable,
  ErrorCodes,
  type Message,
} from 'vscode-jsonrpc/node'
import { type DescriptorLostError, UsageError } from '../../errors.js'
import { RpcError } from '../../rpc/index.js'
import type { FrameBatch, FrameStream } from '../../stream/index.js'
import type { Calls } from './calls.js'
import type { Decoded, Encoding, Envelope } from './encoding.js'

/** Messages that may wait in the connection; the peer then waits until half of them have had their turn. */
const mostWaiting = 1024

export interface ReaderParts {
  readonly stream: FrameStream
  readonly encoding: Encoding
  readonly calls: Calls
  /** The connection takes answers at once, not in their turn. */
  readonly answersAtOnce: boolean
  /** Answers a request that could not be received whole. */
  refuse(answer: Message): void
  /** The connection has taken a message. */
  onTurn(): void
  /** The peer has ended, or the stream has; once. */
  onClose(): void
}

export class FrameMessageReader extends AbstractMessageReader {
  readonly #parts: ReaderParts
  #callback: DataCallback | undefined
  #waiting = 0
  #counting = false
  #held = false
  #stopped = false
  #ending: { readonly error: Error | undefined } | undefined
  #closed = false

  constructor(parts: ReaderParts) {
    super()
    this.#parts = parts
  }

  /** Received messages have their turn behind the present one. */
  get othersWait(): boolean {
    return this.#counting && this.#waiting > 1
  }

  /** Nothing is received before. */
  listen(callback: DataCallback): Disposable {
    if (this.#callback !== undefined) throw new UsageError('a reader is listened to once')
    this.#callback = callback
    const { stream } = this.#parts
    stream.on('end', () => this.#end(undefined))
    stream.closed.then(
      () => this.#end(undefined),
      (error: Error) => this.#end(error),
    )
    if (!stream.destroyed) stream.onBatch((batch) => this.#take(batch))
    return { dispose: () => this.#stop() }
  }

  /** What still comes is dropped. */
  override dispose(): void {
    this.#stop()
    super.dispose()
  }

  #take(batch: FrameBatch): void {
    for (let i = 0; i < batch.length && !this.#stopped && this.#ending === undefined; i++) {
      let decoded: Decoded
      try {
        decoded = this.#parts.encoding.decode(batch, i)
      } catch (error) {
        this.#parts.stream.destroy(error as Error)
        return
      }
      this.#receive(decoded)
    }
    if (this.#waiting > 1) this.#countTurns()
    else if (!this.#counting) this.#waiting = 0 // one a turn, as it is taken
  }

  #receive({ message, descriptors, lost }: Decoded): void {
    if (lost === undefined) this.#handOver(message, descriptors)
    else this.#refuse(message as Envelope, lost)
  }

  #handOver(message: unknown, descriptors: Decoded['descriptors']): void {
    this.#parts.calls.received((message ?? {}) as Envelope, descriptors, this.#parts.answersAtOnce)
    this.#waiting++
    if (this.#waiting > mostWaiting && !this.#held) {
      this.#held = true
      this.#parts.stream.pause()
    }
    try {
      this.#callback?.(message as Message)
    } catch (cause) {
      this.fireError(new RpcError('failed', 'the connection refuses a message', { origin: 'remote', cause }))
    }
  }

  /** That call alone fails, at the end that made it. */
  #refuse({ id, method }: Envelope, lost: DescriptorLostError): void {
    const error = { code: ErrorCodes.InternalError, message: lost.message, data: { code: lost.code } }
    const answer = { jsonrpc: '2.0', id, error }
    if (method === undefined) this.#handOver(answer, [])
    else if (id === undefined) this.fireError(lost)
    else this.#parts.refuse(answer)
  }

  /** Behind the turn in which the connection takes one of what was handed over. */
  #countTurns(): void {
    if (this.#counting) return
    this.#counting = true
    const turn = () => {
      this.#waiting--
      this.#parts.onTurn()
      if (this.#held && this.#waiting < mostWaiting / 2) {
        this.#held = false
        this.#parts.stream.resume()
      }
      if (this.#waiting > 0) setImmediate(turn)
      else {
        this.#counting = false
        if (this.#ending !== undefined) this.#close()
      }
    }
    setImmediate(turn)
  }

  #end(error: Error | undefined): void {
    if (this.#ending !== undefined) return
    this.#ending = { error }
    this.#waiting += 2 // one for what may have come alone, one for itself
    this.#countTurns()
  }

  #close(): void {
    if (this.#closed) return
    this.#closed = true
    const error = this.#ending?.error
    if (error !== undefined) this.fireError(error)
    this.fireClose()
    this.#parts.onClose()
  }

  #stop(): void {
    this.#stopped = true
  }
}
