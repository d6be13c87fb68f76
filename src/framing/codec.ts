/**
 * Codec: the contract of a wire format. Implement it to carry frames of a format that pillion does not know.
 *
 * A codec says where a frame ends, how many descriptors it announces, and what a peer of the format can take. It never
 * sees a descriptor: which set belongs to which frame is the pairing's to know, out of what the codec says.
 */
import { shown } from '../arguments.js'
import { UsageError } from '../errors.js'
import type { FrameLimits } from './limits.js'

export interface Codec {
  /** For messages to humans. */
  readonly name: string
  /**
   * How descriptors find their frame.
   * - `announced`: a frame says how many it bears. A set belongs to the last frame bearing any that starts at or before
   *   the last byte of the recvmsg that returned it; too many or too few end the connection.
   * - `boundary`: frames do not say. A set belongs to the frame that holds that last byte.
   * - `queue`: a frame says how many it bears, and takes them off the front of all that have arrived: they may come
   *   with earlier bytes than its own. For formats whose senders do that (Wayland); loses its place where a set is
   *   truncated, and ends the connection at the next frame that bears.
   */
  readonly pairing: 'announced' | 'boundary' | 'queue'
  /** What a peer of the format can take; what is left out is as `sendRules` has it. */
  readonly sending?: Partial<SendRules>
  /** The limits of a stream that was not told any. What the format itself forbids, the reader and writer refuse. */
  readonly defaults?: Partial<FrameLimits>
  /**
   * With `boundary`, for formats without frames: a frame ends where a recvmsg did, since `measure` is shown nothing past
   * its end, and must not answer 0.
   */
  readonly cutsAtReceives?: boolean
  /**
   * Called once for each connection: what it returns may keep state, which the two directions may share. The limits are
   * the decoder's and encoder's to enforce; a reader needs them where a frame would break one before it can be measured.
   */
  connection(limits: FrameLimits): CodecConnection
}

/** The two directions of one connection. */
export interface CodecConnection {
  readonly reader: FrameReader
  readonly writer: FrameWriter
}

/** What a peer of the format can take. The encoder obeys it. */
export interface SendRules {
  /** Descriptors on one sendmsg: 253 at most, the kernel's own limit (docs/kernel.md fact 6). */
  readonly maxDescriptorsPerSend: number
  /** Bytes of one sendmsg, all that is gathered in it; `Infinity` where the peer does not care. A longer frame is refused. */
  readonly maxBytesPerSend: number
  /** Whether frames without descriptors may follow a bearing one in the same sendmsg. Never with `boundary`. */
  readonly plainMayFollow: boolean
  /** Whether a frame's descriptors may come in several sets, each on a sendmsg that starts inside the frame. */
  readonly severalSets: boolean
}

/** Throws UsageError for what can be none. */
export function checkCodec(codec: unknown): void {
  if (typeof codec === 'object' && codec !== null && 'connection' in codec && typeof codec.connection === 'function') {
    const pairing = 'pairing' in codec ? codec.pairing : undefined
    if (pairing === 'announced' || pairing === 'boundary' || pairing === 'queue') return
    throw new UsageError(`a codec's pairing is 'announced', 'boundary' or 'queue', not ${shown(pairing)}`)
  }
  throw new UsageError(`codec is a Codec, as pillion() gives one, not ${shown(codec)}`)
}

/**
 * Finds the frames of one direction of one connection. The fields describe the frame that `measure` has found last and
 * stay as they are until it is called again.
 */
export interface FrameReader {
  /**
   * Looks at the frame that begins at `bytes[start]`; the stream is there up to `end`. Byte `i` is at stream position
   * `origin + i`.
   *
   * Returns the frame's length on the wire (at least 1, what precedes and follows the payload included) and sets the
   * fields, once all that precedes the payload is there; the rest of the frame need not be. Returns 0 and sets `need`
   * before that.
   *
   * Is called once for a frame that it has measured, so it may advance a state, and again for one that it has not: once
   * `need` bytes of it are there, which may lie in other memory then, the same from the frame's start on. A format that
   * is searched for a frame's end keeps in mind how far it has looked. `bytes` is lent for the call.
   *
   * Throws ProtocolError as soon as the bytes call for it. A frame that it has measured is held against the limits before
   * memory is given to it; one that cannot stay within them is refused here (FrameTooLargeError, `remote`) if it takes
   * more than a header to measure.
   */
  measure(bytes: Uint8Array, start: number, end: number, origin: number): number
  /** After 0: how many bytes of the frame, from its start, it takes to look again. More than there were. */
  readonly need: number
  /** Where the payload starts, from the frame's start. */
  readonly payloadOffset: number
  readonly payloadLength: number
  /** What of it counts towards `maxPayload`. Default: all. */
  readonly limitedLength?: number
  /** The count that the frame announces; 0 in formats that announce none. */
  readonly descriptors: number
  /** From 0 to 255, handed on with the frame; the format's own meaning. Default 0. */
  readonly flags?: number
}

/** Puts together the frames of one direction of one connection. */
export interface FrameWriter {
  /**
   * Refuses a payload that is no frame of this format, before anything is done with it. Only what lies in the bytes is
   * the codec's to check; sizes and counts are checked against limits and rules already.
   *
   * A frame that is found good may still not go out. If it does, `writePrefix` follows before anything else is checked:
   * a writer that keeps state advances it there.
   * @param length of all chunks together
   */
  check?(payload: readonly Uint8Array[], length: number, descriptors: number): void
  /** Bytes that precede a payload of this length. */
  prefixLength(payloadLength: number): number
  writePrefix(into: Uint8Array, at: number, payloadLength: number, descriptors: number, flags: number): void
  /** Bytes that follow it. Default none. */
  suffixLength?(payloadLength: number): number
  writeSuffix?(into: Uint8Array, at: number): void
}

/** Whether the decoder is to be given a set for each recvmsg, empty ones too: where it ended then matters by itself. */
export function wantsReceives({ pairing, cutsAtReceives }: Pick<Codec, 'pairing' | 'cutsAtReceives'>): boolean {
  return pairing === 'queue' || cutsAtReceives === true
}

/** How frames of a codec are sent, its own rules and the defaults: one set of 253, of any length, alone with `boundary`. */
export function sendRules(codec: Pick<Codec, 'pairing' | 'sending'>): SendRules {
  const known = rulesOfCodecs.get(codec)
  if (known !== undefined) return known
  const { pairing, sending } = codec
  const rules = Object.freeze({
    maxDescriptorsPerSend: 253,
    maxBytesPerSend: Number.POSITIVE_INFINITY,
    plainMayFollow: pairing !== 'boundary', // a receiver could not tell
    severalSets: false,
    ...sending,
  })
  rulesOfCodecs.set(codec, rules)
  return rules
}

/** All connections of a codec share them. */
const rulesOfCodecs = new WeakMap<Pick<Codec, 'pairing' | 'sending'>, SendRules>()
