/**
 * A peer that says what it likes: messages as PillionWire writes them, or any bytes, over a frame stream to a session. And
 * a second pair of sessions in the same process, which nothing that it says may harm.
 */
import { Packr } from 'msgpackr'
import { expect, onTestFinished } from 'vitest'
import { type RpcOptions, RpcSession, RpcTarget } from '../../src/rpc/index.js'
import {
  type Call,
  type CallMode,
  type CapDescriptor,
  type Message,
  type MessageTarget,
  noPath,
  type Path,
} from '../../src/rpc/machine/messages.js'
import { PillionWire } from '../../src/rpc/wire/pillion-wire.js'
import { contentOf } from '../../src/rpc/wire/wire.js'
import type { Descriptor, FrameStream, StreamOptions } from '../../src/stream/index.js'
import { sessionsOf } from './rpc-sessions.js'
import { streamPair } from './streams.js'

const packr = new Packr({ useRecords: false, variableMapSize: true })

/** Plain MessagePack, whatever it says. */
export const content = (value: unknown): Uint8Array => Uint8Array.from(packr.pack(value))

export const importedCap = (id: number): MessageTarget => ({ kind: 'importedCap', id, transform: noPath })
export const promisedAnswer = (id: number, ...transform: Path): MessageTarget => ({
  kind: 'promisedAnswer',
  id,
  transform,
})
export const capOf = (kind: CapDescriptor['kind'], id: number, ...transform: Path): CapDescriptor => ({
  kind,
  id,
  transform,
})

export interface RawCall {
  readonly questionId?: number
  readonly target?: MessageTarget
  readonly mode?: CallMode
  readonly method?: Path
  /** The arguments, or bytes that stand for them. */
  readonly args?: unknown
  readonly bytes?: Uint8Array
  readonly capTable?: readonly CapDescriptor[]
  readonly noPromisePipelining?: boolean
  readonly sendResultsTo?: Call['sendResultsTo']
  readonly oneWay?: boolean
}

export class RawPeer {
  readonly stream: FrameStream
  readonly session: RpcSession<never>
  /** All that came, with its content. */
  readonly received: Message[] = []
  readonly #wire = new PillionWire()
  readonly #waiting = new Set<() => void>()
  #questions = 100

  constructor(main: unknown, options: RpcOptions, streamOptions: StreamOptions) {
    const [ours, theirs] = streamPair(streamOptions)
    this.stream = ours
    ours.on('frame', (frame) => {
      this.received.push(this.#wire.decode(Uint8Array.from(frame.payload)))
      for (const descriptor of frame.descriptors) descriptor.close()
      this.#wake()
    })
    ours.on('end', () => this.#wake())
    ours.on('error', () => this.#wake())
    this.session = new RpcSession<never>(theirs, main, options)
    this.session.closed.catch(() => {}) // looked at by whoever cares
  }

  /** Lends the descriptors. */
  send(message: Message, descriptors: readonly Descriptor[] = []): void {
    this.sendBytes(Buffer.concat([this.#wire.encode(message), ...contentOf(message)]), descriptors)
  }

  sendBytes(bytes: Uint8Array, descriptors: readonly Descriptor[] = []): void {
    this.stream.send(bytes, descriptors)
  }

  /** Sends a call of the main object, which is export 0 after `bootstrap`. Its question. */
  call(call: RawCall, descriptors: readonly Descriptor[] = []): number {
    const { questionId = this.#questions++, args = [], bytes = content(args), capTable = [] } = call
    this.send(
      {
        type: 'call',
        questionId,
        target: call.target ?? importedCap(0),
        mode: call.mode ?? 'call',
        method: call.method ?? noPath,
        params: { content: bytes, capTable },
        noPromisePipelining: call.noPromisePipelining ?? call.oneWay ?? false,
        onlyPromisePipeline: call.oneWay ?? false,
        sendResultsTo: call.sendResultsTo ?? 'caller',
        deadline: 0,
        trace: undefined,
      },
      descriptors,
    )
    return questionId
  }

  finish(questionId: number, releaseResultCaps = true): void {
    this.send({ type: 'finish', questionId, releaseResultCaps })
  }

  release(id: number, referenceCount = 1): void {
    this.send({ type: 'release', id, referenceCount })
  }

  /** Asks for the main object, which becomes export 0. */
  async bootstrap(): Promise<void> {
    this.send({ type: 'bootstrap', questionId: 0 })
    const { outcome } = await this.returned(0)
    expect(outcome).toMatchObject({ kind: 'results', payload: { capTable: [{ kind: 'senderHosted', id: 0 }] } })
    this.finish(0, false)
  }

  /** The first message that came, or will come, of which it is true. */
  async next<T extends Message>(is: (message: Message) => message is T): Promise<T> {
    for (let looked = 0; ; ) {
      for (; looked < this.received.length; looked++) {
        const message = this.received[looked] as Message
        if (is(message)) return message
      }
      if (this.stream.destroyed) throw new Error(`the session has ended: ${JSON.stringify(this.received.at(-1))}`)
      await new Promise<void>((resolve) => this.#waiting.add(resolve))
    }
  }

  returned(answerId: number): Promise<Extract<Message, { type: 'return' }>> {
    return this.next(
      (message): message is Extract<Message, { type: 'return' }> =>
        message.type === 'return' && message.answerId === answerId,
    )
  }

  /** What a call came to: its decoded results, or its exception. */
  async outcomeOf(answerId: number): Promise<unknown> {
    const { outcome } = await this.returned(answerId)
    if (outcome.kind === 'results') return packr.unpack(outcome.payload.content)
    if (outcome.kind === 'exception') return `${outcome.exception.type}: ${outcome.exception.reason}`
    return outcome.kind
  }

  /** The reason that the session gives for its end, to this side and to its own. */
  async aborted(): Promise<string> {
    const { exception } = await this.next((message) => message.type === 'abort')
    await expect(this.session.closed).rejects.toMatchObject({ code: 'ERR_PILLION_RPC', message: exception.reason })
    expect(this.session.getStats()).toEqual({ imports: 0, exports: 0 })
    return `${exception.type}: ${exception.reason}`
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }
}

class Bystander extends RpcTarget {
  add(a: number, b: number): number {
    return a + b
  }
}

/** A raw peer of a session that serves `main`; when the test has ended, another session has to work as before. */
export function rawPeer(
  main: unknown,
  { stream = {}, ...options }: RpcOptions & { readonly stream?: StreamOptions } = {},
): RawPeer {
  const peer = new RawPeer(main, options, stream)
  const { api } = sessionsOf(new Bystander())
  onTestFinished(async () => {
    expect(await api.add(1, 2)).toBe(3)
    await peer.session.close()
    expect(peer.session.getStats()).toEqual({ imports: 0, exports: 0 })
  })
  return peer
}
