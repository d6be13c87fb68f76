/**
 * Random programs: what vats may do with stubs, promises and functions, in any order, while messages arrive in any order.
 *
 * What each run has to show: the tables end empty, each object is disposed of once, every promise that somebody awaits is
 * settled, and calls by one reference, and by what has become of it, arrive in order.
 */
import fc from 'fast-check'
import { callContext, RpcPromise, RpcStub, withOptions } from '../../../src/rpc/index.js'
import { Descriptor } from '../../../src/stream/index.js'
import type { Network } from './network.js'
import { Watched } from './vats.js'

const operations = [
  'add',
  'add',
  'add',
  'echo',
  'echoLater',
  'make',
  'wrapLater',
  'await',
  'await',
  'dispose',
  'dup',
  'keep',
  'takeKept',
  'callBack',
  'cancel',
  'abort',
  'fail',
  'use',
  'map',
  'open',
  'size',
  'drain',
  'generate',
] as const

export interface Step {
  readonly vat: number
  readonly operation: (typeof operations)[number]
  readonly subject: number
  readonly argument: number
  /** Whether messages may arrive before the next step. */
  readonly pause: boolean
}

export function programs(vats: number, maxLength: number): fc.Arbitrary<Step[]> {
  return fc.array(
    fc.record({
      vat: fc.nat(vats - 1),
      operation: fc.constantFrom(...operations),
      subject: fc.nat(7),
      argument: fc.nat(7),
      pause: fc.boolean(),
    }),
    { minLength: 1, maxLength },
  )
}

type Ref = RpcStub<Node> & Disposable

interface Slot {
  readonly ref: Ref
  /** What its calls are told apart by; what it becomes has the same. */
  readonly line: Line
}

interface Line {
  readonly id: number
  next: number
}

/** What is called: it passes things on in all ways. */
export class Node extends Watched {
  readonly #program: Program
  readonly #vat: string
  readonly #last = new Map<number, number>()
  readonly #kept: Ref[] = []

  constructor(program: Program, vat: string) {
    super()
    this.#program = program
    this.#vat = vat
    program.nodes.push(this)
    program.network.watch(this, `node ${program.nodes.length} of ${vat}`)
  }

  /** @param line of references; @param entry of the line */
  add(line: number, entry: number): number {
    const last = this.#last.get(line) ?? -1
    if (entry <= last) this.#program.faults.push(`line ${line}: ${entry} came after ${last}`)
    this.#last.set(line, entry)
    return entry
  }

  echo(ref: Ref): Ref {
    return ref
  }

  async echoLater(ref: Ref): Promise<Ref> {
    const kept = ref.dup()
    await this.#program.network.turn(this.#vat)
    return kept as Ref
  }

  make(): Node {
    return new Node(this.#program, this.#vat)
  }

  async wrapLater(ref: Ref): Promise<{ list: { deep: Ref }[] }> {
    const kept = ref.dup()
    await this.#program.network.turn(this.#vat)
    return { list: [{ deep: kept as Ref }] }
  }

  keep(ref: Ref): void {
    this.#kept.push(ref.dup() as Ref)
  }

  takeKept(): Ref {
    const kept = this.#kept.shift()
    if (kept === undefined) throw new Error('nothing is kept')
    return kept
  }

  async callBack(apply: (n: number) => PromiseLike<number>): Promise<number> {
    return (await apply(1)) + 1
  }

  /** Until it is canceled: what it was given it holds till then. */
  forever(_ref: Ref): Promise<never> {
    const { signal } = callContext()
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  }

  fail(): never {
    throw new TypeError('as asked')
  }

  use(ref: Ref, line: number, entry: number): unknown {
    return ref.add(line, entry)
  }

  same(n: number): number {
    return n
  }

  numbers(): number[] {
    return [1, 2, 3]
  }

  open(): { file: Descriptor } {
    return { file: Descriptor.memfd(new Uint8Array(8)) }
  }

  async drain(stream: ReadableStream<number>): Promise<number> {
    let sum = 0
    for await (const chunk of stream) sum += chunk
    return sum
  }

  async *generate(): AsyncGenerator<number> {
    for (let i = 0; i < 3; i++) {
      await this.#program.network.turn(this.#vat)
      yield i
    }
  }

  kindOf(file: Descriptor): string {
    return file.kind
  }

  /** At the end: what nodes keep of one another would keep all of them. */
  readonly clear = (): void => {
    for (const kept of this.#kept.splice(0)) kept[Symbol.dispose]()
  }
}

export class Program {
  readonly network: Network
  readonly nodes: Node[] = []
  readonly faults: string[] = []
  readonly #slots: Slot[][]
  readonly #awaited: Promise<void>[] = []
  #lines = 0
  #over = false

  /** Vats that are all connected to one another. */
  constructor(network: Network, vats: readonly string[]) {
    this.network = network
    const mains = vats.map((vat) => new Node(this, vat))
    this.#slots = vats.map(() => [])
    for (const [i, main] of mains.entries())
      this.#add(i, new RpcStub(new Node(this, vats[i] as string)) as unknown as Ref, this.#line(), main)
    for (let i = 0; i < vats.length; i++) {
      for (let j = i + 1; j < vats.length; j++) {
        const [a, b] = network.connect(vats[i] as string, mains[i] as Node, vats[j] as string, mains[j] as Node)
        this.#add(i, a.main<Node>() as Ref, this.#line())
        this.#add(j, b.main<Node>() as Ref, this.#line())
      }
    }
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      this.#step(step)
      if (step.pause) await this.network.turn('program')
    }
    await this.network.turn('program')
    this.#over = true
    for (const slots of this.#slots) for (const { ref } of slots.splice(0)) ref[Symbol.dispose]()
    await Promise.all(this.#awaited)
    for (const node of this.nodes) node.clear()
    await this.network.turn('program')
    for (const node of this.nodes) node.clear()
    if (this.faults.length > 0) throw new Error(this.faults.join('; '))
  }

  #step({ vat, operation, subject, argument }: Step): void {
    const slots = this.#slots[vat] as Slot[]
    if (slots.length === 0) return
    const slot = slots[subject % slots.length] as Slot
    const { ref, line } = slot
    const other = slots[argument % slots.length] as Slot
    switch (operation) {
      case 'add':
        this.#settles(ref.add(line.id, line.next++))
        return
      case 'echo':
      case 'echoLater':
        this.#add(vat, ref[operation](other.ref as never) as unknown as Ref, this.#line())
        return
      case 'wrapLater': {
        const wrapped = ref.wrapLater(other.ref as never) as unknown as Ref & { list: readonly { deep: Ref }[] }
        this.#add(vat, wrapped, this.#line())
        // By its path, and by what it has become.
        const deep = wrapped.list[0]?.deep as Ref
        const deepLine = this.#line()
        this.#settles(deep.add(deepLine.id, deepLine.next++))
        this.#becomes(vat, { ref: deep, line: deepLine })
        return
      }
      case 'make':
        this.#add(vat, ref.make() as unknown as Ref, this.#line())
        return
      case 'takeKept':
        this.#add(vat, ref.takeKept() as unknown as Ref, this.#line())
        return
      case 'await':
        if (ref instanceof RpcPromise) this.#becomes(vat, slot)
        return
      case 'dispose':
        slots.splice(slots.indexOf(slot), 1)
        ref[Symbol.dispose]()
        return
      case 'dup':
        this.#add(vat, ref.dup() as Ref, line)
        return
      case 'keep':
        this.#settles(ref.keep(other.ref as never))
        return
      case 'callBack':
        this.#settles(ref.callBack(((n: number) => n + 1) as never))
        return
      case 'cancel': {
        const promise = ref.forever(other.ref as never) as unknown as Disposable
        this.network.turn('cancel').then(() => promise[Symbol.dispose]())
        return
      }
      case 'abort': {
        const controller = new AbortController()
        using limited = withOptions(ref, { signal: controller.signal }) as Ref
        this.#settles(limited.forever(other.ref as never))
        this.network.turn('cancel').then(() => controller.abort(new Error('enough')))
        return
      }
      case 'fail':
        this.#settles(ref.fail())
        return
      case 'use':
        this.#settles(ref.use(other.ref as never, this.#line().id, 0))
        return
      case 'map': {
        const numbers = ref.numbers() as unknown as { map(apply: (n: unknown) => unknown): PromiseLike<unknown> }
        this.#settles(numbers.map((n) => (other.ref as unknown as { same(n: unknown): unknown }).same(n)))
        return
      }
      case 'open':
        this.#settles(ref.open())
        return
      case 'drain':
        this.#settles(ref.drain(counting(argument)))
        return
      case 'generate':
        this.#settles(readSome(ref.generate() as unknown as PromiseLike<AsyncIterable<number>>, argument % 5))
        return
      case 'size': {
        using file = Descriptor.memfd(new Uint8Array(8))
        this.#settles(ref.kindOf(file))
        return
      }
    }
  }

  #add(vat: number, ref: Ref, line: Line, _main?: Node): void {
    ;(this.#slots[vat] as Slot[]).push({ ref, line })
  }

  #line(): Line {
    return { id: this.#lines++, next: 0 }
  }

  /** A promise becomes a stub in a slot of its own, if it does. */
  #becomes(vat: number, { ref, line }: Slot): void {
    const promise = ref as unknown as PromiseLike<unknown>
    this.#awaited.push(
      Promise.resolve(promise).then(
        (value) => {
          if (value instanceof RpcStub && !this.#over) this.#add(vat, value as unknown as Ref, line)
          else disposeOf(value)
        },
        () => {},
      ),
    )
  }

  /** Nobody minds how; but it has to. */
  #settles(promise: unknown): void {
    this.#awaited.push(Promise.resolve(promise).then(disposeOf, () => {}))
  }
}

function counting(chunks: number): ReadableStream<number> {
  let left = chunks
  return new ReadableStream({
    pull(controller) {
      if (left-- > 0) controller.enqueue(left)
      else controller.close()
    },
  })
}

/** Reads no more of it than so many. */
async function readSome(promise: PromiseLike<AsyncIterable<number>>, most: number): Promise<void> {
  let left = most
  for await (const _ of await promise) if (left-- <= 0) break
}

function disposeOf(value: unknown): void {
  if ((typeof value === 'object' && value !== null) || value instanceof RpcStub) {
    ;(value as Disposable)[Symbol.dispose]?.()
  }
}
