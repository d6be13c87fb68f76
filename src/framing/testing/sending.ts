/**
 * How a sender lays frames out into sendmsg calls, and how it gets them into a stream whose buffer fills up: a stand-in
 * for the transport's send queue. It keeps to what the pieces say, and is free in all else.
 */
import { type Codec, FrameEncoder, type FrameLimits, type OutgoingPiece } from '../index.js'
import type { Dice } from './dice.js'
import type { SimulatedStream } from './simulated-stream.js'

export interface SentFrame {
  readonly payload: Uint8Array
  readonly fds: readonly number[]
}

/** One sendmsg. */
export interface Send {
  readonly bytes: Uint8Array
  readonly fds: readonly number[]
}

/** The pieces of the frames, in order. */
export function piecesOf(codec: Codec, limits: FrameLimits, frames: readonly SentFrame[]): OutgoingPiece[] {
  const encoder = new FrameEncoder(codec, limits)
  const pieces: OutgoingPiece[] = []
  for (const { payload, fds } of frames) {
    encoder.check(payload, fds.length)
    const slab = new Uint8Array(encoder.copiedLength(payload, 64))
    encoder.write(slab, 0, payload, { fds, flags: 0, copyBelow: 64 }, pieces)
  }
  return pieces
}

/** Neighbours in one send wherever they may be; with dice, only sometimes, and some sends are cut in two. */
export function gather(pieces: readonly OutgoingPiece[], dice?: Dice): Send[] {
  const sends: { bytes: Uint8Array; fds: readonly number[] }[] = []
  let closed = true
  for (const piece of pieces) {
    const bytes = piece.bytes.slice(piece.start, piece.end)
    const last = sends[sends.length - 1]
    if (last === undefined || closed || piece.startsSend || dice?.roll(3) === 0) {
      sends.push({ bytes, fds: piece.fds })
    } else {
      last.bytes = Buffer.concat([last.bytes, bytes])
    }
    closed = piece.endsSend
  }
  return dice === undefined ? sends : sends.flatMap((send) => (dice.roll(4) === 0 ? cutInTwo(send, dice) : [send]))
}

/** All frames, gathered as far as can be. */
export function sendsOf(codec: Codec, limits: FrameLimits, frames: readonly SentFrame[]): Send[] {
  return gather(piecesOf(codec, limits, frames))
}

/** Sends as much as the buffer takes; what is left, without descriptors where some of a send's bytes went (fact 12). */
export function sendWhatFits(stream: SimulatedStream, sends: readonly Send[]): Send[] {
  for (const [i, send] of sends.entries()) {
    const sent = stream.send(send.bytes, send.fds)
    if (sent === 'EINVAL') throw new Error(`a send of ${send.fds.length} descriptors`)
    if (sent === 'EAGAIN') return sends.slice(i)
    if (sent < send.bytes.length) return [{ bytes: send.bytes.subarray(sent), fds: [] }, ...sends.slice(i + 1)]
  }
  return []
}

function cutInTwo(send: Send, dice: Dice): Send[] {
  if (send.bytes.length < 2) return [send]
  const at = 1 + dice.roll(send.bytes.length - 1)
  return [
    { bytes: send.bytes.subarray(0, at), fds: send.fds },
    { bytes: send.bytes.subarray(at), fds: [] },
  ]
}
