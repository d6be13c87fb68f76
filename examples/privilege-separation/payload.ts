/**
 * What a payload says: the files whose descriptors ride on it, then filler up to the size that the schedule asks for.
 *
 * `u32 length · JSON names · filler`, or only filler in a plain frame. The filler is cut from a pool that both processes
 * make from the seed, so that every byte can be checked. Knows nothing of sockets and descriptors.
 */
import { largestPayload, randomNumbers, type Step } from './schedule.js'

/** What the broker saw when it opened a file. Device and inode are 64-bit numbers, so they travel as text. */
export interface NamedFile {
  readonly path: string
  readonly size: number
  /** `device:inode`: no two files have the same as long as somebody holds them open. */
  readonly identity: string
}

export class Payloads {
  readonly #pool: Buffer

  constructor(seed: number) {
    const random = randomNumbers(seed)
    const words = Uint32Array.from({ length: largestPayload / 4 + 4_096 }, () => random(0x1_0000_0000))
    this.#pool = Buffer.from(words.buffer)
  }

  /** The payload of frame number `sequence`, in chunks: the filler need not be copied to be sent. */
  write(sequence: number, step: Step, files: readonly NamedFile[]): Uint8Array[] {
    if (step.files.length === 0) return [this.#filler(sequence, step.size)]
    const names = Buffer.from(JSON.stringify(files))
    const head = Buffer.alloc(4)
    head.writeUInt32LE(names.length)
    return [head, names, this.#filler(sequence, Math.max(0, step.size - 4 - names.length))]
  }

  /** The files that it names; undefined if this is not what was sent as frame number `sequence`. */
  read(sequence: number, step: Step, payload: Uint8Array): readonly NamedFile[] | undefined {
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length)
    if (step.files.length === 0) return bytes.equals(this.#filler(sequence, step.size)) ? [] : undefined
    if (bytes.length < 4 || bytes.length < 4 + bytes.readUInt32LE(0)) return undefined
    const end = 4 + bytes.readUInt32LE(0)
    if (!bytes.subarray(end).equals(this.#filler(sequence, Math.max(0, step.size - end)))) return undefined
    return parseNames(bytes.toString('utf8', 4, end))
  }

  #filler(sequence: number, length: number): Buffer {
    const start = (sequence * 61) % (this.#pool.length - length)
    return this.#pool.subarray(start, start + length)
  }
}

function parseNames(json: string): readonly NamedFile[] | undefined {
  try {
    return JSON.parse(json) as NamedFile[]
  } catch {
    return undefined
  }
}
