/**
 * What can be chosen for a stream, checked once, with the defaults filled in.
 */
import { checkSignal, shown } from '../arguments.js'
import { UsageError } from '../errors.js'
import { checkCodec } from '../framing/codec.js'
import { type Codec, type CodecConnection, type FrameLimits, frameLimits, pillion } from '../framing/index.js'
import type { SocketType, UnixSocketOptions } from '../transport/index.js'
import { socketSettings } from '../transport/socket-options.js'

export interface StreamOptions extends UnixSocketOptions {
  /**
   * `stream` (default): frames by the codec, over bytes. `seqpacket` and `datagram`: a frame is a message, whose boundaries
   * the kernel keeps, and there is no codec; both ends use the same. What that changes: docs/guarantees.md, *Messages*.
   */
  readonly type?: SocketType
  /** The wire format; both ends use the same. Default `pillion()`. */
  readonly codec?: Codec
  /** Largest payload in bytes, sent or received. Default: what the codec says, 16 MiB for most. */
  readonly maxPayload?: number
  /** Most descriptors of a frame, sent or received: up to 1,024. Default: what the codec says, 253 for most. */
  readonly maxDescriptors?: number
  /**
   * Bytes above which `send` returns false, and above which received frames that nobody has consumed yet stop the
   * receiving. Each descriptor that waits counts as 1 KiB, since it holds a place in the table. Default 256 KiB.
   */
  readonly highWaterMark?: number
  /**
   * Payloads of at least so many bytes travel in a sealed memfd that is mapped at the other end, instead of through the
   * socket; with the default codec alone. Both ends need room for one descriptor more. Default: never.
   */
  readonly memfdFrom?: number
  /** Destroys the stream when aborted; for `connect` and `listen`, ends the waiting too. */
  readonly signal?: AbortSignal
}

export interface StreamSettings {
  /** The format, and its state, one for both directions. undefined: a frame is a message, as the kernel keeps it. */
  readonly wire: { readonly codec: Codec; readonly connection: CodecConnection } | undefined
  readonly limits: FrameLimits
  /** The peer's end is seen. */
  readonly ends: boolean
  readonly highWaterMark: number
  readonly memfdFrom: number
  /** Payloads may travel in a sealed memfd, either way. */
  readonly sealable: boolean
}

/** Bytes that a waiting descriptor counts for. */
export const descriptorWeight = 1024

const defaultHighWaterMark = 256 * 1024

/** Throws UsageError for what can never work. */
export function streamSettings(options: StreamOptions): StreamSettings {
  const { keepsMessages } = socketSettings(options)
  const ends = options.type !== 'datagram'
  checkSignal(options.signal)
  const highWaterMark = options.highWaterMark ?? defaultHighWaterMark
  if (typeof highWaterMark !== 'number' || !(highWaterMark >= 1)) {
    throw new UsageError(`highWaterMark is a number of bytes from 1 on, not ${shown(highWaterMark)}`)
  }
  const memfdFrom = options.memfdFrom ?? Number.POSITIVE_INFINITY
  if (typeof memfdFrom !== 'number' || !(memfdFrom >= 1)) {
    throw new UsageError(`memfdFrom is a number of bytes from 1 on, not ${shown(memfdFrom)}`)
  }
  if (keepsMessages) {
    for (const option of ['codec', 'memfdFrom'] as const) {
      if (options[option] === undefined) continue
      throw new UsageError(`type '${options.type}' has no ${option}: a frame is a message, with nothing added to it`)
    }
    return { wire: undefined, limits: frameLimits(options), ends, highWaterMark, memfdFrom, sealable: false }
  }
  const codec = options.codec ?? pillion()
  checkCodec(codec)
  const limits = frameLimits(options, codec)
  const sealable = codec === pillion()
  if (!sealable && options.memfdFrom !== undefined) {
    throw new UsageError(
      `memfdFrom is for pillion() alone: a ${codec.name} frame cannot say that its payload is elsewhere`,
    )
  }
  const wire = { codec, connection: codec.connection(limits) }
  return { wire, limits, ends, highWaterMark, memfdFrom, sealable }
}
