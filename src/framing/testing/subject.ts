/**
 * What the conformance checks are about: a codec and frames that it can carry, sent and read in any way, and whether what
 * came out is right. Descriptors are tokens, numbers that count up.
 */
import type { Codec } from '../codec.js'
import { type FrameLimits, frameLimits } from '../limits.js'
import { accountOf, type Outcome, type Reading, readAll, type WayToRead } from './receiving.js'
import { gather, piecesOf, type Send, type SentFrame } from './sending.js'
import { watched } from './watched-codec.js'

export interface SampleFrame {
  readonly payload: Uint8Array
  /** How many it is sent with. Default 0. */
  readonly descriptors?: number
}

/** How a stream ends. */
export type Expectation = 'a clean end' | ((error: Error) => boolean)

export class Subject {
  readonly limits: FrameLimits
  readonly frames: readonly SentFrame[]
  /** Where each frame ends on the wire. */
  readonly ends: readonly number[]
  readonly #sender: () => Codec
  readonly #receiver: () => Codec

  constructor(
    sender: () => Codec,
    receiver: () => Codec,
    samples: readonly SampleFrame[],
    limits: Partial<FrameLimits>,
  ) {
    this.#sender = sender
    this.#receiver = receiver
    this.limits = frameLimits(limits, receiver())
    let token = 0
    this.frames = samples.map(({ payload, descriptors = 0 }) => ({
      payload,
      fds: Array.from({ length: descriptors }, () => token++),
    }))
    let end = 0
    this.ends = this.frames.map((_, i) => {
      end = piecesOf(this.#sender(), this.limits, this.frames.slice(0, i + 1)).reduce(
        (sum, p) => sum + p.end - p.start,
        0,
      )
      return end
    })
  }

  get codec(): Codec {
    return this.#sender()
  }

  get receivingCodec(): Codec {
    return this.#receiver()
  }

  get total(): number {
    return this.ends[this.ends.length - 1] ?? 0
  }

  /** Gathered as far as may be. */
  get sends(): Send[] {
    return gather(piecesOf(this.#sender(), this.limits, this.frames))
  }

  get bearing(): number[] {
    return [...this.frames.keys()].filter((i) => this.frames[i]!.fds.length > 0)
  }

  start(frame: number): number {
    return frame === 0 ? 0 : this.ends[frame - 1]!
  }

  read(sends: readonly Send[], way: WayToRead, reading: Partial<Reading> = {}): Outcome {
    return readAll(sends, way, { codec: watched(this.#receiver()), limits: this.limits, ...reading })
  }

  /** Throws unless all frames have come out as they went in. */
  expectAll(outcome: Outcome, sends: readonly Send[], way: string): void {
    this.expectFirst(this.frames.length, 'a clean end', outcome, sends, way)
  }

  /**
   * Throws unless the first `count` frames have come out as they went in, no other, and no token is astray. Where counts
   * are announced and the next header cannot be read, a set that came with it may be its own: the last frame ahead that
   * bears may then be missing, with those behind it.
   */
  expectFirst(count: number, ending: Expectation, outcome: Outcome, sends: readonly Send[], way: string): void {
    expectEnding(ending, outcome, way)
    if (this.codec.cutsAtReceives === true) this.#expectBytes(outcome, way)
    else {
      const { length } = outcome.frames
      const undecided = ending !== 'a clean end' && this.codec.pairing === 'announced'
      const least = undecided ? (this.bearing.filter((i) => i < count).pop() ?? count) : count
      expect(length >= least && length <= count, `${way}: ${length} frames came out, expected ${count}`)
      for (const i of outcome.frames.keys()) this.#expectFrame(i, outcome, way)
    }
    expectAccount(outcome, sends, way)
  }

  #expectFrame(i: number, outcome: Outcome, way: string): void {
    const { payload, fds, lost } = outcome.frames[i]!
    const sent = this.frames[i]!
    expect(Buffer.compare(payload, sent.payload) === 0, `${way}: frame ${i} came out with another payload`)
    expect(fds.join() === sent.fds.join(), `${way}: frame ${i} has the descriptors [${fds}], expected [${sent.fds}]`)
    expect(lost === 0, `${way}: frame ${i} has lost ${lost}, expected none`)
  }

  /** Where a format has no frames: the same bytes, and each set at its end of some that end inside what it was sent with. */
  #expectBytes(outcome: Outcome, way: string): void {
    const sent = Buffer.concat(this.frames.map(({ payload }) => payload))
    const received = Buffer.concat(outcome.frames.map(({ payload }) => payload))
    expect(sent.indexOf(received) === 0, `${way}: other bytes came out`)
    let end = 0
    for (const { payload, fds } of outcome.frames) {
      end += payload.length
      if (fds.length === 0) continue
      const frame = this.frames.findIndex((sample) => sample.fds.join() === fds.join())
      expect(frame >= 0, `${way}: no frame was sent with the descriptors [${fds}]`)
      const within = end > this.start(frame) && end <= this.ends[frame]!
      expect(within, `${way}: the set of frame ${frame} came with the byte at ${end - 1}`)
    }
  }
}

export function expectEnding(ending: Expectation, { error }: Outcome, way: string): void {
  if (ending === 'a clean end') {
    expect(error === undefined, `${way}: the stream ended in ${describe(error)}, expected a clean end`)
  } else {
    expect(error !== undefined, `${way}: the stream came to a clean end, expected an error`)
    expect(ending(error!), `${way}: the stream ended in ${describe(error)}, expected another error`)
  }
}

export function expectAccount(outcome: Outcome, sends: readonly Send[], way: string): void {
  const sent = sends.flatMap(({ fds }) => fds).sort((a, b) => a - b)
  const found = accountOf(outcome)
  expect(found.join() === sent.join(), `${way}: the descriptors [${sent}] were sent, and [${found}] are accounted for`)
}

export function expect(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise)
}

function describe(error: Error | undefined): string {
  const cause = error?.cause instanceof Error ? ` (${error.cause.message})` : ''
  return `${error?.name}: ${error?.message}${cause}`
}
