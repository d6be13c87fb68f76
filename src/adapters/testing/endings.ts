/**
 * Streams that are over before anything is put on them: what would tell has been told, and nobody hears it again.
 */
import type { FrameStream } from '../../stream/index.js'

export interface OverBefore {
  /** Goes on from "a stream that". */
  readonly how: string
  /** Ends the first of the two; the error that it ended with. */
  end(streams: readonly [FrameStream, FrameStream]): Promise<Error | undefined>
}

export const overBefore: readonly OverBefore[] = [
  {
    how: 'has just been destroyed',
    end: async ([stream]) => {
      stream.destroy()
      return undefined
    },
  },
  {
    how: 'has failed',
    end: async ([stream]) => {
      const error = new Error('lost')
      stream.destroy(error)
      await stream.closed.catch(() => {}) // it is this error
      return error
    },
  },
  {
    how: 'was ended by both ends',
    end: async ([stream, peer]) => {
      await Promise.all([stream.end(), peer.end()])
      await stream.closed
      return undefined
    },
  },
]

/** No call can go out, nor would the peer's answer be waited for: the other direction alone may still be open. */
export const endedBefore: OverBefore = {
  how: 'was ended by its owner',
  end: async ([stream]) => {
    await stream.end()
    return undefined
  },
}
