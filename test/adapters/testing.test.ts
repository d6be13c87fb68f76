/**
 * The kit for authors: a good adapter passes, and every way of breaking one is caught by the case that is about it.
 *
 * Adapters are broken by what lies below them (a stream that drops what is sent, say) and by what lies above.
 */
import { afterEach, describe, expect, it } from 'vitest'
import {
  type CallAdapter,
  type Case,
  callCases,
  type MessageAdapter,
  messageCases,
} from '../../src/adapters/testing/index.js'
import { packValue, unpackValue } from '../../src/rpc/index.js'
import { type Descriptor, Descriptor as Descriptors, type FrameStream } from '../../src/stream/index.js'
import { Calls, closeAll, hostileAnswers } from './support/calls.js'
import { attachMessages } from './support/messages.js'

const leaked: Descriptor[] = []
afterEach(() => {
  for (const descriptor of leaked.splice(0)) descriptor.close()
})

const calls: CallAdapter = {
  attach: (stream, service) => new Calls(stream, { ...service }),
  descriptors: 'carried',
  hostileAnswers: hostileAnswers(packValue, unpackValue),
}
const messages: MessageAdapter = { attach: attachMessages, descriptors: 'carried' }

describe('a good adapter with calls', () => {
  it.each(callCases(calls))('$name', ({ run }) => run())
})

describe('a good adapter with messages', () => {
  it.each(messageCases(messages))('$name', ({ run }) => run())
})

type Send = FrameStream['send']
type Break = (stream: FrameStream) => Partial<Record<keyof FrameStream | symbol, unknown>>

/** What a stream below both kinds of adapter does wrong. */
const BELOW: readonly (readonly [wrong: string, break_: Break, calls: RegExp, messages: RegExp])[] = [
  ['drops a frame', (stream) => sendingOtherwise(stream, drop), /a thousand without/, /in order and whole/],
  ['reorders frames', (stream) => sendingOtherwise(stream, swap), /a thousand without/, /in order and whole/],
  ['cuts what is large', (stream) => sendingOtherwise(stream, cut), /carries what is large/, /carries a large message/],
  [
    'misassigns descriptors',
    (stream) => sendingOtherwise(stream, reverse),
    /a thousand descriptors/,
    /a thousand descr/,
  ],
  [
    'leaks what it sends',
    (stream) => sendingOtherwise(stream, leak),
    /a thousand descriptors/,
    /a thousand descriptors/,
  ],
  ['hangs at the end', hang, /no call pending when the peer is lost/, /tells once that the peer is lost/],
  [
    'never closes',
    () => ({ destroy: () => {}, end: () => Promise.resolve() }),
    /the peer ends its/,
    /what was sent before/,
  ],
]

describe.each(BELOW)('an adapter whose stream %s', (_wrong, break_, byCalls, byMessages) => {
  it('is caught with calls', async () => {
    const attach: CallAdapter['attach'] = (stream, service) => calls.attach(broken(stream, break_), service)
    await expectCaught(callCases({ ...calls, attach, patience: 300 }), byCalls)
  })

  it('is caught with messages', async () => {
    const attach: MessageAdapter['attach'] = (stream, handlers) => messages.attach(broken(stream, break_), handlers)
    await expectCaught(messageCases({ ...messages, attach, patience: 300 }), byMessages)
  })
})

describe('an adapter with calls that', () => {
  const ABOVE: readonly (readonly [wrong: string, caught: RegExp, change: Partial<CallAdapter>])[] = [
    [
      "takes the caller's descriptor",
      /leaves the caller its own/,
      around((end) => async (method, ...args) => {
        const answer = await end.call(method, ...args)
        for (const arg of args) if (arg instanceof Descriptors) arg.close()
        return answer
      }),
    ],
    [
      'leaves received descriptors to the collector',
      /descriptors that nobody took/,
      {
        attach: (stream, service) =>
          new Calls(stream, { ...service }, { unused: (unused) => void leaked.push(...unused) }),
      },
    ],
    [
      'hands over any answer that is awaited',
      /answers that a hostile peer makes up/,
      {
        attach: (stream, service) => new Calls(stream, { ...service }, { believes: (all) => void leaked.push(...all) }),
      },
    ],
    [
      'closes what it has given the caller',
      /answers that a hostile peer makes up/,
      {
        attach: (stream, service) => new Calls(stream, { ...service }, { believes: closeAll }),
      },
    ],
    [
      'answers the wrong call',
      /both ways at once|its own result/,
      around((end) => {
        const answers: Promise<unknown>[] = []
        return (method, ...args) => {
          answers.push(Promise.resolve(end.call(method, ...args)))
          return answers[Math.max(0, answers.length - 2)]
        }
      }),
    ],
    [
      'makes every failure a success',
      /passes on what a method throws/,
      around(
        (end) =>
          (method, ...args) =>
            Promise.resolve(end.call(method, ...args)).catch(() => null),
      ),
    ],
    [
      'reaches inherited names',
      /no name of a service's prototype/,
      { attach: (stream, service) => new Calls(stream, withInherited({ ...service })) },
    ],
    ['carries what it says that it refuses', /refuses a descriptor at the call/, { descriptors: 'refused' }],
  ]

  it.each(ABOVE)('%s is caught', async (_wrong, caught, change) => {
    await expectCaught(callCases({ ...calls, ...change, patience: 300 }), caught)
  })
})

describe('an adapter with messages that', () => {
  const ABOVE: readonly (readonly [wrong: string, caught: RegExp, change: Partial<MessageAdapter>])[] = [
    [
      'tells the close twice',
      /what was sent before the close/,
      {
        attach: (stream, handlers) => {
          const onClose = (error?: Error) => [0, 1].forEach(() => void handlers.onClose(error))
          return attachMessages(stream, { ...handlers, onClose })
        },
      },
    ],
    [
      'takes any number of messages at once',
      /holds the sender back/,
      {
        attach: (stream, handlers) => {
          const end = attachMessages(stream, handlers)
          return { ...end, send: (message) => void Promise.resolve(end.send(message)).catch(() => {}) }
        },
      },
    ],
    ['carries what it says that it refuses', /refuses a descriptor at the call/, { descriptors: 'refused' }],
  ]

  it.each(ABOVE)('%s is caught', async (_wrong, caught, change) => {
    await expectCaught(messageCases({ ...messages, ...change, patience: 300 }), caught)
  })
})

/** Every case that is about it fails. */
async function expectCaught(cases: readonly Case[], about: RegExp): Promise<void> {
  const found = cases.filter(({ name }) => about.test(name))
  expect(found).not.toEqual([])
  for (const { name, run } of found) await expect(run(), name).rejects.toThrow()
}

function around(change: (end: Calls) => Calls['call'] | ((method: string, ...args: unknown[]) => unknown)) {
  const attach: CallAdapter['attach'] = (stream, service) => {
    const end = new Calls(stream, { ...service })
    return { call: change(end), close: () => end.close() }
  }
  return { attach }
}

function withInherited<T extends object>(methods: T): T {
  return new Proxy(methods, {
    getOwnPropertyDescriptor: (target, key) => ({ value: Reflect.get(target, key), configurable: true }),
  })
}

/** The stream, some of whose members are others. */
function broken(stream: FrameStream, break_: Break): FrameStream {
  const changed = break_(stream)
  return new Proxy(stream, {
    get(target, key) {
      const value: unknown = key in changed ? Reflect.get(changed, key) : Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function sendingOtherwise(
  stream: FrameStream,
  otherwise: (send: Send, count: number, ...args: Parameters<Send>) => boolean,
) {
  let count = 0
  const send: Send = (...args) => otherwise(stream.send.bind(stream), ++count, ...args)
  return { send }
}

type Otherwise = Parameters<typeof sendingOtherwise>[1]

const drop: Otherwise = (send, count, payload, descriptors = [], options) => {
  if (count % 50 !== 0) return send(payload, descriptors, options)
  for (const descriptor of descriptors) (descriptor as Descriptor).close()
  return true
}

let held: (() => void) | undefined
const swap: Otherwise = (send, count, ...args) => {
  if (count % 50 === 0) {
    held = () => void send(...args)
    return true
  }
  const below = send(...args)
  held?.()
  held = undefined
  return below
}

const cut: Otherwise = (send, _count, payload, ...rest) =>
  send((payload as Uint8Array).length > 1_000_000 ? (payload as Uint8Array).subarray(0, 1_000_000) : payload, ...rest)

const reverse: Otherwise = (send, _count, payload, descriptors = [], options) =>
  send(payload, [...descriptors].reverse(), options)

const leak: Otherwise = (send, _count, payload, descriptors = [], options) => {
  leaked.push(...[...descriptors].map((descriptor) => Descriptors.dup(descriptor)))
  return send(payload, descriptors, options)
}

function hang(stream: FrameStream): ReturnType<Break> {
  const never = new Promise<never>(() => {})
  return {
    closed: never,
    [Symbol.asyncIterator]: async function* () {
      const frames = stream[Symbol.asyncIterator]()
      for (;;) {
        const next = await frames.next().catch(() => never)
        if (next.done === true) await never
        else yield next.value
      }
    },
  }
}
