/** The kit for authors, over the comlink adapter. */
import * as Comlink from 'comlink'
import { describe, test } from 'vitest'
import { streamEndpoint } from '../../src/adapters/comlink/index.js'
import { type CallAdapter, type CallEnd, callCases } from '../../src/adapters/testing/index.js'
import { packValue, unpackValue } from '../../src/rpc/index.js'
import type { Descriptor, FrameStream } from '../../src/stream/index.js'

type Anything = Record<string, (...args: unknown[]) => unknown>

function endOf(stream: FrameStream, service?: object): CallEnd {
  const endpoint = streamEndpoint(stream, Comlink)
  if (service !== undefined) Comlink.expose(service, endpoint)
  const remote = Comlink.wrap<Anything>(endpoint)
  return {
    call: (method, ...args) => remote[method]?.(...args),
    tell: (method, ...args) => void Promise.resolve(remote[method]?.(...args)).catch(() => {}), // comlink has no other
    close: () => endpoint.close(),
  }
}

const adapter: CallAdapter = {
  descriptors: 'carried',
  attach: endOf,
  attachClient: endOf,
  samples: [undefined, null, -0, { when: new Date(7), set: new Set([1, 'a']) }, new Map([[{ a: 1 }, [undefined]]])],
  hostile: [
    null,
    [],
    [0, null],
    [0, { id: 7, type: 'GET', path: [] }],
    [0, { id: '1', type: 'GET', path: 'echo' }],
    [0, { id: '1', type: 'GET', path: [['__proto__']] }],
    [0, { id: '1', type: 'SET', path: ['__proto__', 'polluted'], value: { type: 'RAW', value: 1 } }],
    [0, { id: '1', type: 'APPLY', path: ['echo', 'constructor', 'constructor'], argumentList: [] }],
    [0, { id: '1', type: 'APPLY', path: ['echo'], argumentList: 'x' }],
    [0, { id: '1', type: 'APPLY', path: ['echo'], argumentList: [null] }],
    [0, { id: '1', type: 'APPLY', path: ['echo'], argumentList: [{ type: 'HANDLER', name: 'nobody', value: 1 }] }],
    [0, { id: '1', type: 'APPLY', path: ['echo'], argumentList: [{ type: 'HANDLER', name: 'proxy', value: 1 }] }],
    [0, { id: '1', type: 'APPLY', path: ['echo'], argumentList: [{ type: 'HANDLER', name: 'throw', value: {} }] }],
    [0, { id: '1', type: 'CONSTRUCT', path: ['echo'], argumentList: [] }, [0, 1]],
    [0, { id: '1', type: 'APPLY', path: ['echo'], argumentList: [{ type: 'RAW', value: 1 }] }, ['__proto__', 1]],
    [0, { id: '1', type: 'RAW', value: null }, ['__proto__', 1]],
    [0, { id: '1', type: 'ENDPOINT' }],
    [0, { id: '1', type: 'RELEASE' }],
    [5, { id: '1', type: 'GET', path: ['echo'] }],
    [-5, { id: '1', type: 'RAW', value: 1 }],
    [0, { id: 'nobody', type: 'HANDLER', name: 'throw', value: { isError: false, value: 1 } }],
  ].map((message) => packValue(message).payload),
  hostileAnswers: [
    (id: unknown, file: unknown) => ({ id, type: 'RAW', value: file }),
    (id: unknown, file: unknown) => ({ id, type: 'RAW', value: 1, junk: file }),
    (id: unknown, file: unknown) => ({ id, type: 'RAW', name: file, value: 1 }),
    (id: unknown, file: unknown) => ({ id, type: file, value: 1 }),
    (id: unknown, file: unknown) => ({ id, type: 'HANDLER', name: 'nobody', value: file }),
    (id: unknown, file: unknown) => ({ id, type: 'HANDLER', name: 'proxy', value: file }),
    (id: unknown, file: unknown) => ({
      id,
      type: 'HANDLER',
      name: 'throw',
      value: { isError: false, value: { file } },
    }),
    (id: unknown, file: unknown) => ({
      id,
      type: 'HANDLER',
      name: 'throw',
      value: { isError: true, value: { message: 'x', file } },
    }),
    (id: unknown, file: unknown) => ({
      id,
      type: 'HANDLER',
      name: 'throw',
      value: { isError: true, value: { message: 'x' }, file },
    }),
    (id: unknown, file: unknown) => ({ id, type: 'HANDLER', name: 'throw', value: { isError: true, value: file } }),
    (_id: unknown, file: unknown) => ({ id: 'nobody', type: 'RAW', value: file }),
  ].map((answer) => (call: Uint8Array, file: Descriptor) => {
    const [channel, { id }] = unpackValue({ payload: call, descriptors: [], lost: 0 }).value as [
      number,
      { id: unknown },
    ]
    return packValue([channel, answer(id, file)])
  }),
}

describe('the comlink adapter', () => {
  for (const { name, run } of callCases(adapter)) test(name, run)
})
