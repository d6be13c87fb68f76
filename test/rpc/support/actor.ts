/**
 * Actor: one vat of a scenario in a process of its own, over real sockets. The same in the process of the test and in a
 * child (children/stage.ts).
 *
 * Its steps come some turns of the event loop later, as many as chance will have.
 */
import { RpcTarget } from '../../../src/rpc/index.js'
import { RpcError } from '../../../src/rpc/rpc-error.js'
import type { FrameReceiver, RpcTransport } from '../../../src/rpc/transport.js'
import { FrameStreamTransport } from '../../../src/rpc/transports/frame-stream-transport.js'
import { adopt, type Descriptor, type FrameStream } from '../../../src/stream/index.js'
import { End } from './end.js'
import { type Disposed, type MainOf, type Place, play, type Role, type Scenario } from './place.js'
import { gate, until } from './waiting.js'

export interface ActorOptions {
  /** Messages, sent and received, after which it says and hears nothing more: it is about to be killed. */
  readonly limit?: number
}

export class Actor extends RpcTarget {
  readonly #place: SocketPlace
  readonly #done: Promise<unknown>

  /** @param sockets by the vats that they lead to; taken over */
  constructor(scenario: Scenario, vat: string, sockets: ReadonlyMap<string, Descriptor>, options: ActorOptions = {}) {
    super()
    const role = scenario.roles[vat] as Role
    this.#place = new SocketPlace(vat, options.limit ?? Number.POSITIVE_INFINITY)
    const main = role.main?.(this.#place) ?? {}
    for (const [peer, socket] of sockets) this.#place.connect(peer, adopt(socket), main)
    this.#done = play(role, this.#place, main).then(
      () => undefined,
      (error: unknown) => error,
    )
  }

  /** Its role is played. Throws what went wrong; that a connection was lost is nothing wrong if it may be. */
  async played(lossy = false): Promise<void> {
    const error = await this.#done
    if (error === undefined || (lossy && error instanceof RpcError && error.type === 'disconnected')) return
    throw error
  }

  /** It has come to the end of its messages. */
  frozen(): Promise<void> {
    return this.#place.frozen
  }

  get messages(): number {
    return this.#place.messages
  }

  /** Lets go of what is held to the end, and waits until nothing is held of anybody, nor by anybody. */
  async settled(): Promise<void> {
    await this.#place.settled()
  }

  /** Ends the sessions. Throws for what is to be seen in the end and is not. */
  async end(lossy = false): Promise<void> {
    await this.#place.end(lossy)
  }
}

class SocketPlace implements Place {
  readonly name: string
  readonly calls: PromiseLike<unknown>[] = []
  readonly #ends = new Map<string, { readonly end: End; readonly stream: FrameStream }>()
  readonly #kept: Disposable[] = []
  readonly #watched: { readonly target: Disposed; readonly name: string }[] = []
  readonly #checks: { readonly check: () => void; readonly always: boolean }[] = []
  readonly #limit: number
  readonly #frozen = gate()
  #count = 0
  #moments = 0
  readonly main: MainOf = (of) => this.#ends.get(of)?.end.main() as never

  constructor(name: string, limit: number) {
    this.name = name
    this.#limit = limit
    if (limit === 0) this.#frozen.open()
  }

  get frozen(): Promise<void> {
    return this.#frozen.promise
  }

  get messages(): number {
    return this.#count
  }

  connect(peer: string, stream: FrameStream, main: object): void {
    const transport = new CountingTransport(new FrameStreamTransport(stream), () => this.#pass())
    this.#ends.set(peer, { end: new End(`${this.name}-${peer}`, transport, main), stream })
    if ('disposals' in main) this.watch(main as Disposed, 'main')
  }

  async step(): Promise<void> {
    this.#moments++
    for (let turns = Math.floor(Math.random() * 8); turns >= 0; turns--) await new Promise(setImmediate)
    this.#moments--
  }

  turn(): Promise<void> {
    return this.step()
  }

  watch<T extends Disposed>(target: T, name: string): T {
    if (!this.#watched.some((watched) => watched.target === target)) this.#watched.push({ target, name })
    return target
  }

  keep<T extends Disposable>(held: T): T {
    this.#kept.push(held)
    return held
  }

  atEnd(check: () => void): void {
    this.#checks.push({ check, always: false })
  }

  always(check: () => void): void {
    this.#checks.push({ check, always: true })
  }

  lose(peer: string): void {
    this.#ends.get(peer)?.stream.destroy(new Error('cut'))
  }

  async settled(): Promise<void> {
    for (const held of this.#kept.splice(0)) held[Symbol.dispose]()
    for (const { end } of this.#ends.values()) end.releaseMain()
    await until(() => {
      const sizes = [...this.#ends.values()].flatMap(({ end }) => Object.values(end.connection.stats))
      return this.#moments === 0 && sizes.every((size) => size === 0)
    })
  }

  async end(lossy: boolean): Promise<void> {
    for (const { end, stream } of this.#ends.values()) {
      end.connection.close(new RpcError('disconnected', 'the test is over'))
      await stream.closed.catch(() => {}) // how it has ended is not what is asked here
    }
    for (const { check, always } of this.#checks) if (always || !lossy) check()
    for (const { target, name } of this.#watched) {
      if (target.disposals !== 1) throw new Error(`${name} of ${this.name} was disposed of ${target.disposals} times`)
    }
  }

  #pass(): boolean {
    if (this.#count >= this.#limit) return false
    this.#count++
    if (this.#count === this.#limit) this.#frozen.open()
    return true
  }
}

/** Asks of each message whether it may pass. */
class CountingTransport implements RpcTransport {
  readonly carriesDescriptors = true
  readonly maxDescriptors: number
  readonly maxPayload: number
  readonly peer = undefined
  readonly #inner: RpcTransport
  readonly #pass: () => boolean

  constructor(inner: RpcTransport, pass: () => boolean) {
    this.#inner = inner
    this.#pass = pass
    this.maxDescriptors = inner.maxDescriptors
    this.maxPayload = inner.maxPayload
  }

  get queuedBytes(): number {
    return this.#inner.queuedBytes
  }

  start(receiver: FrameReceiver): void {
    this.#inner.start({
      onFrame: (payload, descriptors, lost, stays) => {
        if (this.#pass()) receiver.onFrame(payload, descriptors, lost, stays)
        else closeAll(descriptors)
      },
      onBatchEnd: () => receiver.onBatchEnd(),
      onEnd: (error) => receiver.onEnd(error),
    })
  }

  send(head: Uint8Array, content: readonly Uint8Array[], descriptors: readonly Descriptor[]): void {
    if (this.#pass()) this.#inner.send(head, content, descriptors)
    else closeAll(descriptors)
  }

  close(): void {
    this.#inner.close()
  }

  ref(): void {
    this.#inner.ref()
  }

  unref(): void {
    this.#inner.unref()
  }
}

function closeAll(descriptors: readonly Descriptor[]): void {
  for (const descriptor of descriptors) descriptor.close()
}
