/**
 * Admission: whether a peer that has just been accepted is let in, by what the kernel says of it and what the user of the
 * listener makes of that. Owns no descriptor.
 */

import { inspect } from 'node:util'
import { shown } from '../arguments.js'
import { ClosedError, UsageError } from '../errors.js'
import { Peer, type PeerSource } from './peer.js'
import { warnOnce } from './warn-once.js'

export type Authorize = (peer: Peer) => boolean

export interface Verdict {
  readonly admitted: boolean
  /** undefined: the kernel did not say who it is. */
  readonly peer: Peer | undefined
  /** What judging failed with. */
  readonly failure: unknown
}

/** Lets a Peer ask while it is being judged; once `settled`, the number belongs to somebody else. */
export class Candidate implements PeerSource {
  settled = false
  readonly address: string
  readonly #fd: number

  constructor(fd: number, address: string) {
    this.#fd = fd
    this.address = address
  }

  get fd(): number {
    if (this.settled) throw new ClosedError('this peer was judged already; ask it within authorize')
    return this.#fd
  }

  judge(authorize: Authorize): Verdict {
    let peer: Peer | undefined
    try {
      peer = new Peer(this)
      const verdict: unknown = authorize(peer)
      // It is refused as no boolean; what it comes to must not end the process besides, at any peer's wish.
      if (verdict instanceof Promise) verdict.catch(() => {})
      if (typeof verdict !== 'boolean') throw new UsageError(`authorize answers true or false, not ${shown(verdict)}`)
      return { admitted: verdict, peer, failure: undefined }
    } catch (failure) {
      return { admitted: false, peer, failure }
    }
  }
}

/** Who is let in where no file's permissions say it. */
export function isSameUserOrRoot(peer: Peer): boolean {
  return peer.uid === 0 || peer.uid === process.geteuid?.()
}

/** `authorize` threw and nobody was there to be told; the peer was refused. */
export function warnOfAuthorize(failure: unknown, address: string): void {
  warnOnce(
    'PILLION_AUTHORIZE_FAILED',
    `authorize of the listener at ${address} failed: ${inspect(failure)}`,
    "The peer was refused. Listen to 'refused', or let authorize return false.",
  )
}
