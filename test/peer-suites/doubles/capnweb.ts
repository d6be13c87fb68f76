/**
 * capnweb's transports of its tests, over a stream: as text, or as values at one of the levels at which capnweb leaves values to
 * a transport (PEER_SUITES_VARIANT). The tests look at what is sent, and hold back what has come.
 */
import type { RpcSession, RpcSessionOptions, RpcTransport, RpcTransportWithCustomEncoding } from 'capnweb'
import { type FrameStream, pair } from 'pillion'
import { stringTransport, structuredTransport } from 'pillion/adapters/capnweb'
import { markOverPillion } from '../over-pillion.js'

type Level = 'text' | RpcTransportWithCustomEncoding['encodingLevel']
type Transport = RpcTransport | RpcTransportWithCustomEncoding

const level = process.env.PEER_SUITES_VARIANT as Level

/** So many polls of the loop that what is sent has come, and what answers it. */
export async function turns(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve, 2))
}

function over(stream: FrameStream, at: Level): Transport {
  return at === 'text' ? stringTransport(stream) : structuredTransport(stream, { encodingLevel: at })
}

/** One end: made alone, it waits for the one that is made with it as its partner. */
class End {
  readonly encodingLevel: Level | undefined
  readonly #stream: FrameStream
  readonly #transport: Transport
  readonly #far: FrameStream | undefined
  /** A test looks into it. */
  readonly queue: unknown[] = []
  #fenced = false
  #ended: { readonly error: unknown } | undefined
  #reading = false
  #wake = () => {}

  constructor(partner: End | undefined, at: Level) {
    markOverPillion()
    if (partner !== undefined && partner.#far !== undefined) this.#stream = partner.#far
    else [this.#stream, this.#far] = pair()
    this.#transport = over(this.#stream, at)
    // capnweb takes one that has the property, whatever it is, for one of values.
    if (at === 'text') delete (this as { encodingLevel?: Level }).encodingLevel
    else this.encodingLevel = at
  }

  send(message: unknown): unknown {
    return (this.#transport as RpcTransportWithCustomEncoding).send(message)
  }

  async receive(): Promise<unknown> {
    if (!this.#reading) void this.#read()
    for (;;) {
      if (!this.#fenced && this.queue.length > 0) return this.queue.shift()
      if (!this.#fenced && this.#ended !== undefined) throw this.#ended.error
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  async #read(): Promise<void> {
    this.#reading = true
    try {
      for (;;) {
        this.queue.push(await this.#transport.receive())
        this.#wake()
      }
    } catch (error) {
      this.#ended = { error }
      this.#wake()
    }
  }

  abort(reason: unknown): void {
    this.#transport.abort?.(reason)
  }

  fence(): void {
    this.#fenced = true
  }

  releaseFence(): void {
    this.#fenced = false
    this.#wake()
  }

  get pendingCount(): number {
    return this.queue.length
  }

  forceReceiveError(error: Error): void {
    this.#stream.destroy(error)
  }
}

export class TestTransport extends End {
  log = false
  readonly sentLog: string[] = []

  constructor(_name: string, partner?: TestTransport) {
    super(partner, level)
  }

  override send(message: unknown): unknown {
    const changed = withoutMark(message)
    this.sentLog.push(typeof changed === 'string' ? changed : JSON.stringify(changed, shown))
    return super.send(changed)
  }
}

/** Some tests write names that no program can: the mark `$remove$` in them is not to be sent. */
function withoutMark(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('$remove$', '')
  if (Array.isArray(value)) return value.map(withoutMark)
  if (value === null || typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype) return value
  const entries = Object.entries(value).map(([key, member]) => [key.replaceAll('$remove$', ''), withoutMark(member)])
  return Object.fromEntries(entries)
}

function shown(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}` : value
}

export class ObjectTestTransport extends End {
  constructor(partner?: ObjectTestTransport, at: Level = 'jsonCompatible') {
    super(partner, at)
  }
}

/** Of the tests of limits, which are limits of text. */
export class PairTransport extends End {
  constructor(partner?: PairTransport) {
    super(partner, 'text')
  }
}

/** Receives the frames given; keeps what the session answers. */
export class ScriptedTransport {
  readonly sent: string[] = []
  aborted = false
  readonly #transport: RpcTransport

  constructor(frames: readonly string[]) {
    markOverPillion()
    const [near, far] = pair()
    this.#transport = stringTransport(far)
    for (const frame of frames) near.send(Buffer.from(frame))
    near.on('frame', ({ payload }) => this.sent.push(Buffer.from(payload).toString()))
  }

  send(message: string): void | Promise<void> {
    return this.#transport.send(message)
  }

  receive(): Promise<string> {
    return this.#transport.receive()
  }

  abort(reason: unknown): void {
    this.aborted = true
    this.#transport.abort?.(reason)
  }

  async waitForAbort(): Promise<string> {
    for (let i = 0; i < 300; i++) {
      const abort = this.#abortion()
      if (abort !== undefined) return abort
      await turns()
    }
    throw new Error(`the session did not abort; it sent ${JSON.stringify(this.sent)}`)
  }

  async expectNoAbort(): Promise<void> {
    for (let i = 0; i < 5; i++) await turns()
    if (this.aborted || this.#abortion() !== undefined) throw new Error('the session aborted')
  }

  #abortion(): string | undefined {
    return this.sent.find((message) => message.startsWith('["abort"'))
  }
}

export function pillionChannel(): { port1: FrameStream; port2: FrameStream } {
  markOverPillion()
  const [port1, port2] = pair()
  return { port1, port2 }
}

/** newMessagePortRpcSession, with a stream for the port. */
export function portSession(
  Session: typeof RpcSession,
  port: FrameStream,
  main?: unknown,
  options?: RpcSessionOptions,
): unknown {
  return new Session(over(port, level), main, options).getRemoteMain()
}
