/**
 * A Wayland client in its smallest form: objects, requests, events as promises, globals. Which opcode means what, its
 * users know; so do they know which events bear descriptors.
 */
import { join } from 'node:path'
import { connect, type Descriptor, type Frame, type FrameStream, type StreamOptions } from 'pillion'
import { type Codec, type WaylandCount, wayland } from 'pillion/framing'
import { type Argument, Arguments, message } from './wire.js'

export interface WaylandEvent {
  readonly opcode: number
  readonly args: Arguments
  /** The listener's own: it closes them, or takes them. */
  readonly descriptors: readonly Descriptor[]
}

export interface Listener {
  /** Descriptors borne by each event, by opcode; those that are not here bear none. */
  readonly descriptors?: Readonly<Record<number, number>>
  readonly onEvent?: (event: WaylandEvent) => void
}

export interface DisplayOptions extends Omit<StreamOptions, 'codec'> {
  /** For those who want to watch it at work. */
  readonly codec?: (count: WaylandCount) => Codec
}

const displayId = 1
const registryId = 2

export class Display {
  /** Of the globals, by interface: the name to bind them by, and the version. */
  readonly globals = new Map<string, { readonly name: number; readonly version: number }>()
  /** Rejects with what ended the connection. */
  readonly closed: Promise<void>
  readonly #stream: FrameStream
  readonly #objects: Map<number, Listener>
  #nextId = registryId + 1

  /** The compositor of this session, or the one at `path`. All globals that it has are known when it resolves. */
  static async connect(path = sessionPath(), options: DisplayOptions = {}): Promise<Display> {
    const objects = new Map<number, Listener>()
    const codec = (options.codec ?? wayland)((object, opcode) => objects.get(object)?.descriptors?.[opcode] ?? 0)
    const display = new Display(await connect(path, { ...options, codec }), objects)
    display.request(displayId, 1, [registryId])
    await display.sync()
    return display
  }

  private constructor(stream: FrameStream, objects: Map<number, Listener>) {
    this.#stream = stream
    this.#objects = objects
    this.closed = stream.closed
    objects.set(displayId, { onEvent: ({ opcode, args }) => opcode === 0 && this.#fail(args) })
    objects.set(registryId, { onEvent: ({ opcode, args }) => opcode === 0 && this.#addGlobal(args) })
    stream.on('frame', (frame) => this.#dispatch(frame))
  }

  get stats(): FrameStream['stats'] {
    return this.#stream.stats
  }

  /** A new object's id, to be given in the request that makes it. The compositor expects them in order. */
  create(listener: Listener = {}): number {
    const id = this.#nextId++
    this.#objects.set(id, listener)
    return id
  }

  /** Sends; the descriptors stay the caller's. */
  request(
    object: number,
    opcode: number,
    args: readonly Argument[] = [],
    descriptors: readonly Descriptor[] = [],
  ): void {
    this.#stream.send(message(object, opcode, ...args), descriptors)
  }

  bind(name: string, version: number, listener?: Listener): number {
    const global = this.globals.get(name)
    if (global === undefined) throw new Error(`this compositor has no ${name}`)
    const id = this.create(listener)
    this.request(registryId, 0, [global.name, name, Math.min(version, global.version), id])
    return id
  }

  /** The first event of an object that is made by `make`, which is given its id. */
  event(make: (id: number) => void): Promise<Arguments> {
    return this.unlessClosed(new Promise((resolve) => make(this.create({ onEvent: ({ args }) => resolve(args) }))))
  }

  /** What the promise resolves to; rejects if the connection ends first. */
  unlessClosed<T>(promise: Promise<T>): Promise<T> {
    const gone = (): never => {
      throw new Error('the compositor has gone')
    }
    return Promise.race([promise, this.closed.then(gone)])
  }

  /** Until the compositor has dealt with all requests so far. */
  async sync(): Promise<void> {
    await this.event((callback) => this.request(displayId, 0, [callback]))
  }

  /** Waits for room if much is queued. */
  drained(): Promise<void> {
    return this.#stream.drained()
  }

  close(): void {
    this.#stream.destroy()
  }

  #dispatch(frame: Frame): void {
    const args = new Arguments(frame.payload)
    const onEvent = this.#objects.get(args.object)?.onEvent
    if (onEvent === undefined) frame[Symbol.dispose]()
    else onEvent({ opcode: args.opcode, args, descriptors: frame.descriptors })
  }

  #addGlobal(args: Arguments): void {
    const name = args.uint()
    this.globals.set(args.string(), { name, version: args.uint() })
  }

  #fail(args: Arguments): void {
    const object = args.uint()
    const code = args.uint()
    this.#stream.destroy(new Error(`the compositor refuses: object ${object}, error ${code}: ${args.string()}`))
  }
}

function sessionPath(): string {
  return join(process.env.XDG_RUNTIME_DIR ?? '/run', process.env.WAYLAND_DISPLAY ?? 'wayland-0')
}
