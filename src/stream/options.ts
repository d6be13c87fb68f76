/**
 * What can be chosen for a stream, checked once, with the defaults filled in.
 */
import { checkSignal, shown } from '../arguments.js'
import { UsageError } from '../errors.js'
import { checkCodec } from '../framing/codec.js'
import { pillion } from '../framing/codecs/pillion.js'
import type { Codec, FrameLimits } from '../framing/index.js'
import { frameLimits } from '../framing/limits.js'
import type { SocketType, UnixSocketOptions } from '../transport/index.js'
import { SocketSettings } from '../transport/socket-options.js'

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
   * Payloads of at least so many bytes travel in a sealed memfd, instead of through the socket, and are mapped at the other end
   * (in a worker thread, read); with the default codec alone. Both ends need room for one descriptor more. Default: never.
   */
  readonly memfdFrom?: number
  /** Destroys the stream when aborted; for `connect` and `listen`, ends the waiting too. */
  readonly signal?: AbortSignal
}

/** Bytes that a waiting descriptor counts for. */
export const descriptorWeight = 1024

const defaultHighWaterMark = 256 * 1024

/** Options that have been checked, with the defaults filled in: one object serves any number of streams. */
export class StreamSettings {
  readonly socket: SocketSettings
  /** undefined: a frame is a message, as the kernel keeps it. */
  readonly codec: Codec | undefined
  readonly limits: FrameLimits
  /** The peer's end is seen. */
  readonly ends: boolean
  readonly highWaterMark: number
  readonly memfdFrom: number
  /** Payloads may travel in a sealed memfd, either way. */
  readonly sealable: boolean

  /** Throws UsageError for what can never work. */
  constructor(options: StreamOptions) {
    this.socket = new SocketSettings(options)
    this.ends = options.type !== 'datagram'
    checkSignal(options.signal)
    this.highWaterMark = options.highWaterMark ?? defaultHighWaterMark
    if (typeof this.highWaterMark !== 'number' || !(this.highWaterMark >= 1)) {
      throw new UsageError(`highWaterMark is a number of bytes from 1 on, not ${shown(this.highWaterMark)}`)
    }
    this.memfdFrom = options.memfdFrom ?? Number.POSITIVE_INFINITY
    if (typeof this.memfdFrom !== 'number' || !(this.memfdFrom >= 1)) {
      throw new UsageError(`memfdFrom is a number of bytes from 1 on, not ${shown(this.memfdFrom)}`)
    }
    this.codec = this.socket.keepsMessages ? noCodec(options) : codecOf(options)
    this.limits = Object.freeze(frameLimits(options, this.codec)) // users see it
    this.sealable = this.codec === pillion()
    if (this.codec !== undefined && !this.sealable && options.memfdFrom !== undefined) {
      throw new UsageError(
        `memfdFrom is for pillion() alone: a ${this.codec.name} frame cannot say that its payload is elsewhere`,
      )
    }
  }
}

/**
 * The settings that options come to. Throws UsageError for what can never work. Those who connect anew with the same options
 * share them, so that an idle connection costs no more memory than it must.
 */
export function streamSettings(options: StreamOptions): StreamSettings {
  const settings = new StreamSettings(options)
  if (latest === undefined || !areSame(latest, settings)) latest = settings
  return latest
}

let latest: StreamSettings | undefined

function areSame(one: StreamSettings, other: StreamSettings): boolean {
  return isIn(one.socket, other.socket) && isIn(one.limits, other.limits) && isIn(one, other, objectsOfTheirOwn)
}

const objectsOfTheirOwn = ['socket', 'limits']

/** Whether every field of `one` is the same in `other`. Makes no object: each stream that is opened comes by here. */
function isIn(one: object, other: object, but: readonly string[] = []): boolean {
  for (const name in one) {
    if (!Object.is(Reflect.get(one, name), Reflect.get(other, name)) && !but.includes(name)) return false
  }
  return true
}

function noCodec(options: StreamOptions): undefined {
  for (const option of ['codec', 'memfdFrom'] as const) {
    if (options[option] === undefined) continue
    throw new UsageError(`type '${options.type}' has no ${option}: a frame is a message, with nothing added to it`)
  }
}

function codecOf({ codec = pillion() }: StreamOptions): Codec {
  checkCodec(codec)
  return codec
}
