/** The kit for authors, over the capnweb adapter: with text, and with values of each level. */
import { RpcSession, RpcTarget } from 'capnweb'
import { describe, test } from 'vitest'
import {
  type PassedDescriptor,
  passDescriptor,
  stringTransport,
  structuredTransport,
  takeDescriptor,
} from '../../src/adapters/capnweb/index.js'
import { type CallAdapter, callCases, type Service } from '../../src/adapters/testing/index.js'
import { packValue, unpackValue } from '../../src/rpc/index.js'
import { Descriptor, type FrameStream } from '../../src/stream/index.js'

type Main = Record<string, (...args: unknown[]) => PromiseLike<unknown> & Disposable> & Disposable

/** What the kit serves, with capnweb's stand-ins for descriptors. */
class Served extends RpcTarget {
  readonly #service: Service

  constructor(service: Service) {
    super()
    this.#service = service
  }

  echo(value: unknown): unknown {
    return this.#service.echo(value)
  }

  note(number: number): number {
    return this.#service.note(number)
  }

  fail(message: string): never {
    return this.#service.fail(message)
  }

  hang(): Promise<unknown> {
    return this.#service.hang()
  }

  numbersOf(value: unknown): number[] {
    return this.#service.numbersOf(taken(value))
  }

  files(numbers: readonly number[]): PassedDescriptor[] {
    return this.#service.files(numbers).map((file) => passDescriptor(file, { transfer: true }))
  }

  ignore(value: unknown): null {
    return this.#service.ignore(value)
  }
}

function adapterOver(transportOf: (stream: FrameStream) => ConstructorParameters<typeof RpcSession>[0]): CallAdapter {
  const ends = (stream: FrameStream, served?: Served) => {
    const session = new RpcSession(transportOf(stream), served)
    const main = session.getRemoteMain() as unknown as Main
    const call = (method: string, args: readonly unknown[]) => (main[method] as Main['call'])(...args.map(passing))
    return {
      call: async (method: string, ...args: readonly unknown[]) => {
        // What the stub has itself it answers itself. What a peer reaches by these names: `hostile`, below.
        if (method in Object.prototype) throw new Error(`${method} is the stub's own`)
        return taken(await call(method, args))
      },
      tell: (method: string, ...args: readonly unknown[]) => {
        try {
          call(method, args)[Symbol.dispose]()
        } catch {} // the session has ended
      },
      close: () => main[Symbol.dispose](),
    }
  }
  return {
    descriptors: 'carried',
    attach: (stream, service) => ends(stream, new Served(service)),
    attachClient: (stream) => ends(stream),
    samples: [null, -1.5, 'text', [[[]]], { a: [1, undefined] }, new Date(7), 2n ** 80n],
    hostile: [
      null,
      [],
      ['push'],
      ['push', ['pipeline', 0, ['__proto__', 'polluted'], [1]]],
      ['push', ['pipeline', 0, ['constructor', 'constructor'], ['return process']]],
      ['push', ['pipeline', 0, ['toString'], []]],
      ['push', ['pipeline', 0, ['__defineGetter__'], ['x', 1]]],
      ['push', ['pipeline', 9, ['echo'], [[1]]]],
      ['stream', ['pipeline', 0, ['echo'], ['x']]],
      ['pull', 77],
      ['resolve', 1],
      ['resolve', 77, ['export', -1]],
      ['resolve', 'constructor', 1],
      ['reject', 1, ['error', '__proto__', 'x', null, { constructor: 1 }]],
      ['release', 0, 1],
      ['release', -1, 1e9],
      ['abort', ['error', 'Error', 'no reason']],
      ['unheard of', 1],
    ].map((message) => packValue(message).payload),
    hostileAnswers: answers.map((answer) => (frame: Uint8Array, file: Descriptor) => {
      const call = pulled(unpackValue({ payload: frame, descriptors: [], lost: 0 }).value)
      return call === undefined ? undefined : packValue(answer(call, file))
    }),
  }
}

const answers: readonly ((call: number, file: Descriptor) => readonly unknown[])[] = [
  (call, file) => ['resolve', call, file],
  (call, file) => ['resolve', call, { deep: [[[file]]] }],
  (call, file) => ['resolve', call, 1, file],
  (call, file) => ['resolve', call, ['export', -1, file]],
  (call, file) => ['reject', call, file],
  (call, file) => ['reject', call, ['error', 'Error', 'x', null, { file }]],
  (call, file) => ['reject', call, ['error', 'Error', file]],
  (call, file) => ['reject', call, 1, file],
  (_call, file) => ['resolve', 777, file],
  (_call, file) => ['resolve', 'nobody', file],
  (call, file) => ['release', call, file],
  (_call, file) => ['push', file],
  (_call, file) => ['pipe', file],
  (_call, file) => ['unheard of', file],
  (call, file) => [file, call],
]

/** The call that is asked for; capnweb sends `push` before that. */
function pulled(message: unknown): number | undefined {
  const [kind, call] = message as [string, number]
  return kind === 'pull' ? call : undefined
}

for (const encodingLevel of ['jsonCompatible', 'jsonCompatibleWithBytes', 'structuredClonable'] as const) {
  describe(`the capnweb adapter, ${encodingLevel}`, () => {
    const whole = adapterOver((stream) => structuredTransport(stream, { encodingLevel }))
    const adapter: CallAdapter = encodingLevel === 'jsonCompatible' ? { ...whole, descriptors: 'refused' } : whole
    for (const { name, run } of callCases(adapter)) test(name, run)
  })
}

describe('the capnweb adapter, of text', () => {
  const { hostile = [], ...adapter } = adapterOver(stringTransport)
  const hostileAnswers = answers.map((answer) => (frame: Uint8Array, file: Descriptor) => {
    const call = pulled(JSON.parse(Buffer.from(frame).toString()))
    if (call === undefined) return undefined
    return { payload: Buffer.from(JSON.stringify(answer(call, file))), descriptors: [file.dup()] } // beside the text
  })
  for (const { name, run } of callCases({ ...adapter, descriptors: 'refused', hostileAnswers })) test(name, run)
})

/** With what stands for descriptors, anywhere in it. */
function passing(value: unknown): unknown {
  if (value instanceof Descriptor) return passDescriptor(value)
  return mapped(value, passing)
}

function taken(value: unknown): unknown {
  return value instanceof Descriptor ? takeDescriptor(value as never) : mapped(value, taken)
}

function mapped(value: unknown, map: (value: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map(map)
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, map(member)]))
}
