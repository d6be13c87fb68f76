/**
 * What a contender that carries frames is to the patterns: each writes it as its experts would, and a process runs only
 * one, so that these calls are inlined and cost all of them the same.
 */
import type { Setting } from './setting.js'

export interface Link {
  /** One frame, now, with so many descriptors (of the contender's own open file). */
  send(payload: Buffer, descriptors: number): void
  /** Frame after frame with the setting's descriptors each, as fast as the peer takes them, until there is none. */
  flood(next: () => Buffer | undefined): Promise<void>
}

/** A frame came: bytes[start, end), with so many descriptors, which are closed or will be. */
export type OnFrame = (bytes: Uint8Array, start: number, end: number, descriptors: number) => void

export interface Carrier {
  /** Resolves when clients may connect. */
  listen(setting: Setting, accept: (link: Link) => OnFrame): Promise<void>
  connect(setting: Setting, onFrame: OnFrame): Promise<Link>
}
