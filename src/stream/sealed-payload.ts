/**
 * Payloads that travel in a sealed memfd: the last of the frame's descriptors, mapped here, closed right away.
 *
 * Only memory that nobody can shrink or change is mapped: a peer that could would end this process by SIGBUS, or change
 * what was checked already (docs/protocol.md).
 */
import { ProtocolError } from '../errors.js'
import { memfdLength } from '../framing/codecs/pillion.js'
import type { BearingFrame, FrameLimits, FrameTable } from '../framing/index.js'
import { binding } from '../transport/native.js'
import { Errno } from '../transport/system-calls.js'
import { systemFailure } from '../transport/system-failure.js'
import { ReceivedFrame } from './frame.js'

/**
 * The frame whose payload `table`'s row points at. If its memfd was lost the payload is empty, and `lost` says so.
 * Throws ProtocolError or FrameTooLargeError for a memfd that is not what was announced; the row then keeps its
 * descriptors.
 */
export function openSealed(table: FrameTable, row: number, bearing: BearingFrame, limits: FrameLimits): ReceivedFrame {
  if (bearing.lost > 0) return ReceivedFrame.of(new Uint8Array(0), bearing.fds, bearing.lost)
  const position = table.position(row)
  const length = memfdLength(table.bytes.subarray(table.start(row), table.end(row)), limits, position)
  const memfd = bearing.fds[bearing.fds.length - 1] as number
  const memory = binding.mapMemfd(memfd, length)
  if (typeof memory === 'number') throw refusal(memory, length, position)
  binding.closeFd(memfd)
  return ReceivedFrame.of(new Uint8Array(memory), bearing.fds.slice(0, -1), 0)
}

function refusal(errno: number, length: number, position: number): Error {
  switch (errno) {
    case Errno.EPERM:
      return new ProtocolError('the memfd of a payload is not sealed against shrinking and writing', position)
    case Errno.EINVAL:
      return new ProtocolError(`the memfd of a payload is no memfd, or shorter than ${length} bytes`, position)
    default:
      return systemFailure(errno, 'mmap', undefined, `a payload of ${length} bytes`)
  }
}
