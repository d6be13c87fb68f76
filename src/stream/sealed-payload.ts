/**
 * Payloads that travel in a sealed memfd: the last of the frame's descriptors, mapped or read and closed when the frame is
 * handed out. Not before: 16 bytes of a peer's stand for as much memory as a payload may have.
 *
 * Only memory that nobody can shrink or change is accepted: a peer that could would end this process by SIGBUS, or change
 * what was checked already (docs/protocol.md).
 */
import { ProtocolError } from '../errors.js'
import { memfdLength } from '../framing/codecs/pillion.js'
import type { BearingFrame, FrameLimits, FrameTable } from '../framing/index.js'
import { allocateFresh } from '../framing/large-frame.js'
import { adoptOwned } from '../transport/descriptor.js'
import type { Descriptor } from '../transport/index.js'
import { binding } from '../transport/native.js'
import { Errno } from '../transport/system-calls.js'
import { systemFailure } from '../transport/system-failure.js'
import { ReceivedFrame } from './frame.js'

/**
 * The frame whose payload `table`'s row points at. If its memfd was lost the payload is empty, and `lost` says so.
 * Throws ProtocolError or FrameTooLargeError for a memfd that is not what was announced; the row then keeps its descriptors.
 */
export function sealedFrame(table: FrameTable, row: number, bearing: BearingFrame, limits: FrameLimits): ReceivedFrame {
  if (bearing.lost > 0) return ReceivedFrame.of(noBytes, bearing.fds, bearing.lost)
  const position = table.position(row)
  const length = memfdLength(table.bytes.subarray(table.start(row), table.end(row)), limits, position)
  const memfd = bearing.fds[bearing.fds.length - 1] as number
  const status = binding.checkMemfd(memfd, length)
  if (status < 0) throw refusal(status, length, position)
  return new SealedFrame(memfd, length, status === 1, bearing.fds.slice(0, -1))
}

const noBytes = new Uint8Array(0)

class SealedFrame extends ReceivedFrame {
  readonly #memfd: Descriptor
  readonly #length: number
  readonly #maps: boolean
  #opened: Uint8Array | undefined

  constructor(memfd: number, length: number, maps: boolean, fds: readonly number[]) {
    super(noBytes, 0, 0, fds, 0)
    this.#memfd = adoptOwned(memfd)
    this.#length = length
    this.#maps = maps
  }

  override open(): number {
    if (this.#opened !== undefined) return 0
    const { fd } = this.#memfd
    this.#opened = this.#maps ? map(fd, this.#length) : read(fd, this.#length)
    this.#memfd.close()
    return this.#length
  }

  override get payload(): Uint8Array {
    return this.#opened ?? noBytes
  }

  override get size(): number {
    return this.#length
  }

  override get places(): number {
    return super.places + (this.#opened === undefined ? 1 : 0)
  }

  override [Symbol.dispose](): void {
    this.#memfd.close()
    super[Symbol.dispose]()
  }
}

function map(memfd: number, length: number): Uint8Array {
  const memory = binding.mapMemfd(memfd, length)
  if (typeof memory === 'number') throw systemFailure(memory, 'mmap', undefined, aPayloadOf(length))
  return new Uint8Array(memory)
}

/** Into memory of V8's own, which lives as long as anybody has it, in whatever thread (see native/memory_map.cc). */
function read(memfd: number, length: number): Uint8Array {
  const memory = allocate(length)
  const status = binding.readMemfd(memfd, memory)
  if (status !== 0) throw systemFailure(status, 'pread', undefined, aPayloadOf(length))
  return memory
}

function allocate(length: number): Uint8Array {
  try {
    return allocateFresh(length)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw systemFailure(Errno.ENOMEM, 'pread', undefined, aPayloadOf(length))
  }
}

function refusal(errno: number, length: number, position: number): Error {
  switch (errno) {
    case Errno.EPERM:
      return new ProtocolError('the memfd of a payload is not sealed against shrinking and writing', position)
    case Errno.EINVAL:
      return new ProtocolError(
        `the memfd of a payload is none that can be read, or shorter than ${length} bytes`,
        position,
      )
    default:
      return systemFailure(errno, 'fstat', undefined, aPayloadOf(length))
  }
}

function aPayloadOf(length: number): string {
  return `a payload of ${length} bytes`
}
