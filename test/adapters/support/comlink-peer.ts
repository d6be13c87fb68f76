/** A peer of comlink's that writes frames of its own. */
import * as Comlink from 'comlink'
import { streamEndpoint } from '../../../src/adapters/comlink/index.js'
import { unpackValue } from '../../../src/rpc/index.js'
import type { FrameStream } from '../../../src/stream/index.js'
import { streamPair, take } from '../../support/streams.js'

// biome-ignore lint/suspicious/noExplicitAny: what is answered is of no interest to the types here
type Anything = any

/**
 * Its second stream is a peer that writes what it likes.
 * @param object none: nothing is exposed, the end is only wrapped
 */
export function hostile(object?: object) {
  const streams = streamPair()
  const endpoint = streamEndpoint(streams[0], Comlink)
  if (object === undefined) Comlink.wrap(endpoint)
  else Comlink.expose(object, endpoint)
  let frames: AsyncIterator<Anything> | undefined
  const answers = async (count: number): Promise<Anything[]> => {
    frames ??= (streams[1] as FrameStream)[Symbol.asyncIterator]()
    return (await take(frames, count)).map((frame) => (unpackValue(frame).value as Anything[])[1])
  }
  return { streams, answers }
}

let calls = 0

export function call(path: readonly unknown[], ...values: readonly unknown[]): unknown {
  const argumentList = values.map((value) => (typeof value === 'object' ? value : { type: 'RAW', value }))
  return [0, { id: `call ${calls++}`, type: 'APPLY', path, argumentList }]
}
