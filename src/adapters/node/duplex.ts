/**
 * toDuplex: a frame stream as a Duplex of Node's, of frames or of bytes. Both directions keep their back-pressure, end
 * apart, and are destroyed together.
 */
import { UsageError } from '../../errors.js'
import type { FrameStream } from '../../stream/index.js'
import { ByteDuplex } from './byte-duplex.js'
import { FrameDuplex } from './frame-duplex.js'

export type { ByteDuplex } from './byte-duplex.js'
export type { FrameDuplex } from './frame-duplex.js'

export interface DuplexOptions {
  /** `frames` (the default): objects, with their descriptors. `bytes`: payloads alone, as a net.Socket has them. */
  readonly mode?: 'frames' | 'bytes'
  /** False: it ends its own side when the peer has ended. Default: true for frames; false for bytes, as net.Socket. */
  readonly allowHalfOpen?: boolean
}

/**
 * Owns the stream from now on, which must not be consumed in another way.
 *
 * Of frames: what is read is a `Frame`, the reader's to dispose of; those that were never read are disposed of when the
 * duplex is destroyed. What is written is a Uint8Array or an OutgoingFrame; its descriptors are duplicated, or with
 * `transfer` taken over, before `write` returns, also when it fails later. What is no frame, or has a closed descriptor, is
 * a failed write: nothing is taken over, the callback is given the error, and the duplex is destroyed by it.
 *
 * Of bytes: a chunk that is written is a frame, or a part of one if it is over `maxPayload`, and what is read are payloads.
 * With the codec `raw()` the wire has nothing but these bytes. Descriptors that are received go to the listeners of
 * `descriptors`, as an array that is theirs to close; without a listener they are closed. One that was lost (`frame.lost`)
 * destroys the duplex with DescriptorLostError, and the others of its frame are closed.
 */
export function toDuplex(stream: FrameStream, options?: DuplexOptions & { readonly mode?: 'frames' }): FrameDuplex
export function toDuplex(stream: FrameStream, options: DuplexOptions & { readonly mode: 'bytes' }): ByteDuplex
export function toDuplex(stream: FrameStream, options: DuplexOptions = {}): FrameDuplex | ByteDuplex {
  const { mode = 'frames', allowHalfOpen = mode === 'frames' } = options
  if (mode === 'frames') return new FrameDuplex(stream, allowHalfOpen)
  if (mode === 'bytes') return new ByteDuplex(stream, allowHalfOpen)
  throw new UsageError(`mode is 'frames' or 'bytes', not ${String(mode)}`)
}
