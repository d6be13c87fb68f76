/** Arguments of the wrong type: a UsageError from each public function, by a throw or a rejection as its kind is. */
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  capnpMessage,
  capnpSegments,
  dbus,
  delimited,
  FrameDecoder,
  FrameEncoder,
  lengthPrefixed,
  pillion,
  wayland,
} from '../../src/framing/index.js'
import { adopt, connect, Descriptor, listen, notify, pair, UsageError } from '../../src/stream/index.js'
import {
  adoptConnected,
  closeDescriptors,
  connectUnix,
  formatAddress,
  Listener,
  pairUnix,
  UnixSocket,
} from '../../src/transport/index.js'
import { streamPair, turns } from '../support/streams.js'
import { ignoring } from '../transport/native-sockets.js'

/** Nothing that could be made of, and what breaks whoever prints it. */
const bare = Object.create(null)
const unprintable = {
  toString() {
    throw new Error('toString ran')
  },
  [Symbol.for('nodejs.util.inspect.custom')]() {
    throw new Error('inspect ran')
  },
}
const noOptions: readonly unknown[] = [null, 5, 'x', true, Symbol('x')]
const noFunctions: readonly unknown[] = [null, 5, 'x', {}, bare]
const noSignals: readonly unknown[] = [null, 5, 'x', {}, bare, unprintable]
const noAddresses: readonly unknown[] = [
  undefined,
  null,
  5,
  {},
  [],
  bare,
  unprintable,
  { path: 5 },
  { fd: 'x' },
  { fd: -1 },
]
const noNumbers: readonly unknown[] = [undefined, null, 'x', 1.5, Number.NaN, -1, 2 ** 40, 5n, {}, bare, unprintable]
const noBooleans: readonly unknown[] = [null, 0, 'x', {}, bare]
const noIterables: readonly unknown[] = [null, 5, {}, bare, unprintable, true]
const noBytes: readonly unknown[] = [undefined, null, 'x', {}, bare, unprintable, new Uint16Array(2), [5], [null]]

type Call = (value: never) => unknown
const address = '@pillion-argument-types'
const stream = () => streamPair()[0]

/** A function, the values that one of its arguments must not have, and the call. */
const wrong: readonly (readonly [name: string, values: readonly unknown[], call: Call])[] = [
  ['connect: address', noAddresses, (value) => connect(value)],
  ['connect: options', noOptions, (value) => connect(address, value)],
  ['connect: signal', noSignals, (signal) => connect(address, { signal })],
  ['connect: timeout', [null, 'x', -1, Number.NaN, {}, bare], (timeout) => connect(address, { timeout })],
  ['listen: address', noAddresses, (value) => listen(value)],
  ['listen: options', noOptions, (value) => listen(address, value)],
  ['listen: signal', noSignals, (signal) => listen(address, { signal })],
  ['listen: authorize', noFunctions, (authorize) => listen(address, { authorize })],
  ['listen: mode', noNumbers.slice(1), (mode) => listen(address, { mode })],
  ['listen: backlog', noNumbers.slice(1), (backlog) => listen(address, { backlog })],
  ['pair: options', noOptions, (value) => pair(value)],
  ['pair: type', ['x', 5, {}, bare, null], (type) => pair({ type })],
  ['pair: readiness', ['x', 5, {}, bare, null, unprintable], (readiness) => pair({ readiness })],
  ['pair: acceptDescriptors', noBooleans, (acceptDescriptors) => pair({ acceptDescriptors })],
  ['pair: codec', [5, 'x', {}, bare, unprintable], (codec) => pair({ codec })],
  ...(['maxPayload', 'maxDescriptors', 'busyPoll', 'descriptorHeadroom', 'pressureTimeout', 'sendBuffer'] as const).map(
    (option) => [`pair: ${option}`, noNumbers.slice(2), (value: never) => pair({ [option]: value })] as const,
  ),
  ...(['highWaterMark', 'memfdFrom'] as const).map(
    (option) =>
      [`pair: ${option}`, ['x', 0, -1, Number.NaN, bare], (value: never) => pair({ [option]: value })] as const,
  ),
  ['adopt: fd', noNumbers, (value) => adopt(value)],
  ['adopt: options', noOptions, (value) => adopt(0, value)],

  ['send: payload', noBytes, (value) => stream().send(value)],
  ['send: payload, with descriptors', noBytes, (value) => stream().send(value, [0])],
  ['send: descriptors', noIterables, (value) => stream().send(Buffer.from('x'), value)],
  ['send: a descriptor', noNumbers, (value) => stream().send(Buffer.from('x'), [value])],
  ['send: options', noOptions, (value) => stream().send(Buffer.from('x'), [], value)],
  ['send: transfer', noBooleans, (transfer) => stream().send(Buffer.from('x'), [], { transfer })],
  ...(['drained', 'flush', 'end'] as const).flatMap(
    (method) =>
      [
        [`${method}: options`, noOptions, (value: never) => stream()[method](value)],
        [`${method}: signal`, noSignals, (signal: never) => stream()[method]({ signal })],
      ] as const,
  ),
  ['destroy: error', [null, 5, 'x', {}, bare], (value) => stream().destroy(value)],
  ['onBatch: callback', [undefined, ...noFunctions], (value) => stream().onBatch(value)],
  ['onBatch: options', noOptions, (value) => stream().onBatch(() => {}, value)],
  ['onBatch: keeps', [null, 5, 'true', {}], (keeps) => stream().onBatch(() => {}, { keeps })],
  ...(['on', 'once', 'addListener'] as const).map(
    (method) =>
      [`${method}: listener`, [undefined, ...noFunctions], (value: never) => stream()[method]('frame', value)] as const,
  ),
  ['writable: chunk', [undefined, null, 5, 'x', {}], (value) => stream().writable.getWriter().write(value)],
  ...(['on', 'once', 'addListener'] as const).map(
    (method) =>
      [
        `a server's ${method}: listener`,
        [undefined, ...noFunctions],
        async (value: never) => {
          const server = await listen(address)
          onTestFinished(() => server.close())
          server[method]('connection', value)
        },
      ] as const,
  ),

  ['Descriptor.own', noNumbers, (value) => Descriptor.own(value)],
  ['Descriptor.dup', noNumbers, (value) => Descriptor.dup(value)],
  [
    'Descriptor.memfd: content',
    [undefined, null, 'x', -1, 1.5, {}, bare, unprintable],
    (value) => Descriptor.memfd(value),
  ],
  ['Descriptor.memfd: options', noOptions, (value) => Descriptor.memfd(1, value)],
  ['Descriptor.memfd: name', [null, 5, {}, bare, 'a\0b'], (name) => Descriptor.memfd(1, { name })],
  ['Descriptor.memfd: seal', noBooleans, (seal) => Descriptor.memfd(1, { seal })],
  ['notify: notification', [undefined, ...noOptions, {}, { 'a b': 1 }, { A: bare }], (value) => notify(value)],
  ['notify: options', noOptions, (value) => notify({ READY: 1 }, value)],
  ['notify: descriptors', noIterables, (descriptors) => notify({ READY: 1 }, { descriptors })],
  ['notify: a descriptor', noNumbers, (value) => notify({ READY: 1 }, { descriptors: [value] })],
  ['notify: signal', noSignals, (signal) => notify({ READY: 1 }, { signal })],

  ['connectUnix: address', noAddresses, (value) => connectUnix(value)],
  ['connectUnix: options', noOptions, (value) => connectUnix(address, value)],
  ['connectUnix: signal', noSignals, (signal) => connectUnix(address, { signal })],
  ['adoptConnected: socket', noNumbers, (value) => adoptConnected(value)],
  ['pairUnix: type', ['x', 5, {}, bare, null], (value) => pairUnix(value)],
  ['closeDescriptors', [undefined, null, 5, {}, ['x'], [1.5]], (value) => closeDescriptors(value)],
  ['Listener.listen: options', noOptions, (value) => Listener.listen(address, value)],
  ['Listener.listen: authorize', noFunctions, (authorize) => Listener.listen(address, { authorize })],
  [
    'Listener.accept: handlers',
    [
      undefined,
      null,
      5,
      {},
      { onConnection() {} },
      { onConnection() {}, onError: 5 },
      { onConnection() {}, onError() {}, onRefused: 5 },
    ],
    async (value) => {
      using listener = await Listener.listen(address)
      listener.accept(value)
    },
  ],
  ['new UnixSocket: fd', noNumbers, (value) => new UnixSocket(value, ignoring)],
  [
    'new UnixSocket: handlers',
    [undefined, null, 5, {}, { ...ignoring, onEnd: 5 }, { ...ignoring, onSent: 5 }],
    (value) => {
      const [fd, other] = pairUnix()
      closeDescriptors([other])
      new UnixSocket(fd, value) // which closes it
    },
  ],
  [
    'new UnixSocket: options',
    noOptions,
    (value) => {
      const [fd, other] = pairUnix()
      closeDescriptors([other])
      new UnixSocket(fd, ignoring, value)
    },
  ],

  [
    'lengthPrefixed',
    [...noOptions, { bytes: bare }, { endian: bare }, { offset: 'x' }, { includesHeader: 5 }],
    (value) => lengthPrefixed(value),
  ],
  ['delimited', noNumbers, (value) => delimited(value)],
  ['dbus', [...noOptions, { auth: bare }, { maxDescriptors: 'x' }], (value) => dbus(value)],
  ['wayland', [undefined, ...noFunctions], (value) => wayland(value)],
  ['capnpMessage', [undefined, null, 5, {}, [5], [null]], (value) => capnpMessage(value)],
  ['capnpSegments', [undefined, null, 5, {}, 'x'], (value) => capnpSegments(value)],
  [
    'new FrameDecoder: codec',
    [undefined, null, 5, {}, bare],
    (value) => new FrameDecoder(value, { maxPayload: 1, maxDescriptors: 1 }),
  ],
  [
    'new FrameEncoder: codec',
    [undefined, null, 5, {}, bare],
    (value) => new FrameEncoder(value, { maxPayload: 1, maxDescriptors: 1 }),
  ],
  [
    'new FrameDecoder: options',
    noOptions,
    (value) => new FrameDecoder(pillion(), { maxPayload: 1, maxDescriptors: 1 }, value),
  ],
]

describe.each(wrong)('%s', (_name, values, call) => {
  test.each(values.map((value) => [value]))('a UsageError for value %#', async (value) => {
    const outcome = await outcomeOf(() => call(value as never))
    expect(outcome).toBeInstanceOf(UsageError)
    await turns(1) // nothing comes of it later
  })
})

test('the text of an address that is none can be had all the same', () => {
  for (const value of [bare, unprintable, null, { fd: bare }, { fd: unprintable }]) {
    expect(typeof formatAddress(value)).toBe('string')
  }
})

async function outcomeOf(call: () => unknown): Promise<unknown> {
  try {
    return await call()
  } catch (error) {
    return error
  }
}
