/**
 * ReceivedTally: what a stream counts of the frames that have been handed on. Knows nothing of who consumes them.
 */
import type { FrameTable } from '../framing/index.js'

export class ReceivedTally {
  frames = 0
  descriptors = 0
  lost = 0
  /** Times that receiving stopped, since nobody consumed. */
  pauses = 0

  /** The table's rows [first, end). */
  count(table: FrameTable, first: number, end: number): void {
    this.frames += end - first
    if (table.bears) this.#countBorne(table, first, end)
  }

  #countBorne(table: FrameTable, first: number, end: number): void {
    for (let row = first; row < end; row++) {
      const bearing = table.bearing(row)
      if (bearing === undefined) continue
      this.descriptors += bearing.fds.length
      this.lost += bearing.lost
    }
  }
}
