/**
 * What came over a stream until it ended, and how it ended; the descriptors told apart by their tokens, and closed.
 */
import type { Frame, FrameStream } from '../../src/stream/index.js'
import { tokenOf } from './tokens.js'

export interface SeenFrame {
  readonly payload: string
  readonly tokens: readonly number[]
  readonly lost: number
}

export interface Collected {
  readonly frames: SeenFrame[]
  /** What ended the stream, if it was no proper end. */
  readonly error: Error | undefined
}

/** The payload as latin1 text, so that every byte counts. */
export function seenFrame(frame: Frame): SeenFrame {
  const tokens = frame.descriptors.map(tokenOf)
  frame[Symbol.dispose]()
  return { payload: Buffer.from(frame.payload).toString('latin1'), tokens, lost: frame.lost }
}

/** Iterates the stream to its end. It stays half-open if that was a proper one. */
export async function collect(stream: FrameStream): Promise<Collected> {
  const frames: SeenFrame[] = []
  try {
    for await (const frame of stream) frames.push(seenFrame(frame))
    return { frames, error: undefined }
  } catch (error) {
    return { frames, error: error as Error }
  }
}
