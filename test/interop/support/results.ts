/**
 * What a scenario against a real peer measured: one row of the table that `npm run interop` prints.
 *
 * A scenario counts what it sees, never what it expects. Knows no protocol; scripts/interop.mjs reads what it writes.
 */
import { appendFileSync, fstatSync } from 'node:fs'
import { findLeak, type OpenDescriptors, openDescriptors } from '../../support/open-descriptors.js'

export interface Row {
  readonly peer: string
  readonly version: string
  /** As seen from pillion: 'in', 'out' or 'both'. */
  readonly direction: 'in' | 'out' | 'both'
  /** Messages, with and without descriptors. */
  readonly frames: number
  readonly descriptors: number
  /** Came with a message that they do not belong to, or in another place of it. */
  readonly misassigned: number
  readonly lost: number
  /** Still open in this process when all was over, and in the peer's where it can tell. */
  readonly leaked: number
}

/** Counts one scenario. Whatever it opens must be closed before `finish`. */
export class Scenario {
  frames = 0
  descriptors = 0
  misassigned = 0
  lost = 0
  /** What the peer says that it still has open and should not. */
  leakedByPeer = 0
  readonly #about: Pick<Row, 'peer' | 'version' | 'direction'>
  readonly #before: OpenDescriptors

  constructor(about: Pick<Row, 'peer' | 'version' | 'direction'>) {
    this.#about = about
    this.#before = openDescriptors()
  }

  /** A message with descriptors: which ones came, by whatever tells them apart, beside those that belong to it. */
  message(came: readonly unknown[], belong: readonly unknown[], lost = 0): void {
    this.frames++
    this.descriptors += came.length
    this.lost += lost
    // One too many is as wrong as one that is another; one too few that nobody reported was lost.
    this.lost += Math.max(0, belong.length - came.length - lost)
    came.forEach((one, i) => {
      if (one !== belong[i]) this.misassigned++
    })
  }

  /** Looks for leaks and records the row. */
  async finish(): Promise<Row> {
    const leak = await findLeak(this.#before)
    const { frames, descriptors, misassigned, lost } = this
    const leaked = (leak?.descriptors.length ?? 0) + this.leakedByPeer
    const row: Row = { ...this.#about, frames, descriptors, misassigned, lost, leaked }
    const file = process.env.PILLION_INTEROP_ROWS
    if (file) appendFileSync(file, `${JSON.stringify(row)}\n`)
    return row
  }
}

/** What every row must have, besides its counts. */
export const flawless = { misassigned: 0, lost: 0, leaked: 0 } as const

/** Tells a descriptor's file apart from every other: the same before it was sent and after. */
export function identityOf(fd: number): string {
  const { dev, ino } = fstatSync(fd, { bigint: true })
  return `${dev}:${ino}`
}
