/** A peer of a Cap'n Proto connection that has made calls as the library makes them, and now sends what it likes. */
import { Message as Whole } from 'capnp-es'
import { Message } from 'capnp-es/capnp/rpc'
import { capnp } from '../../../src/framing/index.js'
import type { Descriptor, FrameStream } from '../../../src/stream/index.js'
import { named, streamPair, until } from '../../support/streams.js'
import type { PeerOptions } from './capnp-values.js'

type PeerOn = (
  stream: FrameStream,
  methods: object,
  options?: PeerOptions,
) => { call(method: string, ...args: readonly unknown[]): Promise<unknown> }

export function message(fill: (message: Message) => void): Uint8Array {
  const whole = new Whole()
  fill(whole.initRoot(Message))
  return new Uint8Array(whole.toArrayBuffer())
}

export function rootOf(bytes: Uint8Array): Message {
  return new Whole(new Uint8Array(bytes), false).getRoot(Message)
}

/** The same call, but for what is changed. */
export function changed(bytes: Uint8Array, change: (call: Message['call']) => void): Uint8Array {
  const root = rootOf(bytes)
  change(root.call)
  return new Uint8Array(root.segment.message.toArrayBuffer())
}

/** Two calls run, the second with a descriptor named `held`. `stream` is the end that they came by. */
export async function recordedCalls(peerOn: PeerOn, options: PeerOptions = {}) {
  const [nearest, left] = streamPair({ codec: capnp() })
  const [peer, stream] = streamPair({ codec: capnp() })
  const calls: Uint8Array[] = []
  const answers: number[] = []
  let isLibrary = true
  left.on('frame', ({ payload, descriptors }) => {
    if (rootOf(payload).which() === Message.CALL) calls.push(payload)
    peer.send(payload, descriptors, { transfer: true })
  })
  peer.on('frame', ({ payload }) => {
    const kind = rootOf(payload).which()
    if (isLibrary) left.send(payload)
    else if (kind === Message.RETURN || kind === Message.UNIMPLEMENTED) answers.push(kind)
  })
  const running: { readonly file: Descriptor; answer(): void }[] = []
  const hang = (file: Descriptor) => new Promise<null>((resolve) => running.push({ file, answer: () => resolve(null) }))
  const errors: Error[] = []
  peerOn(stream, { hang, fine: () => 1 }, { ...options, onError: (error) => errors.push(error) })
  const near = peerOn(nearest, {})
  await near.call('fine')
  using file = named('held')
  for (const args of [[], [file]]) near.call('hang', ...args).catch(() => {}) // nobody answers them
  await until(() => running.length === 2, 'the calls')
  isLibrary = false
  const ids = calls.slice(-2).map((each) => rootOf(each).call.questionId)
  return { peer, stream, errors, answers, running, bearing: calls.at(-1)!, ids }
}
