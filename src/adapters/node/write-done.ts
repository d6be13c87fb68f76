/**
 * When a write is done: its buffer is the writer's again, as it is with net.Socket, and the stream can take more. What is
 * queued by reference has to be in the kernel for that; what is short has been copied.
 */
import type { FrameStream } from '../../stream/index.js'

export type Done = (error?: Error | null) => void

export function whenReleased(stream: FrameStream, done: Done): void {
  const released = stream.released()
  if (released === undefined) done()
  else released.then(() => done(), done)
}
