/**
 * Placing: where the bytes of received frames come to lie. In the thread's slab, which the next wake-up writes again unless
 * somebody keeps it; or, of large frames, in memory of their own, which is lent to the socket. Knows neither sockets nor
 * whoever consumes.
 */
import { defaultLargeFrom, type FrameDecoder } from '../framing/frame-decoder.js'
import type { FrameTable } from '../framing/frame-table.js'
import type { MessageDecoder } from '../framing/message-decoder.js'
import type { Received } from '../transport/index.js'
import { slabsAreGuarded } from '../transport/receive-slab.js'

/** Of a large frame: room for its head, and for small ones that come before it. */
const largeBeginning = 2048

/** Payloads over this are large for the slab, where it is used again: of those that end in it, half would be copied. */
const largeWhereShared = 128 * 1024

/**
 * How many bytes are to be received into the slab at a time, behind those that the decoder wants elsewhere; 0: any number.
 * Frames come alike, most often.
 *
 * Of a large frame, only the beginning: so the rest goes where it is to stay, and need not be copied or, where frames are
 * kept, keep all of the slab. Of frames that the slab has room for, but which are long to copy, as many as it has room for:
 * none of them then ends up half in it.
 * @param table the frames that the decoder has just made of `received`
 * @param keeps whether they outlive the wake-up
 */
export function bytesAhead(
  decoder: FrameDecoder | MessageDecoder,
  table: FrameTable,
  { bytes, start, end, sets }: Received,
  keeps: boolean,
): number {
  if (expectsLarge(decoder, table, end - start, keeps)) return largeBeginning
  const each = decoder.latestLength
  if (keeps || each <= defaultLargeFrom || sets.length > 0) return 0
  const begun = end - start - decoder.consumed
  return Math.max(0, Math.floor((bytes.length - start) / each) * each - begun)
}

/** The rows become frames that outlive the wake-up: what they lie in must not be written again. */
export function keepBytes(table: FrameTable, received: Received): void {
  if (table.ownsBytes) return
  if (slabsAreGuarded()) received.keep()
  else table.ownBytes()
}

function expectsLarge(
  decoder: FrameDecoder | MessageDecoder,
  table: FrameTable,
  presented: number,
  keeps: boolean,
): boolean {
  const large = keeps ? defaultLargeFrom : largeWhereShared
  const { assembling } = decoder
  if (assembling > 0) return assembling > large
  const last = table.length - 1
  return last >= 0 && table.end(last) - table.start(last) > large && decoder.consumed === presented
}
