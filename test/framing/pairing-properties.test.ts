/** The pairing against senders and kernels of all kinds: always the right pairs, or the right error, and no token astray. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Codec,
  DescriptorMismatchError,
  FrameEncoder,
  frameLimits,
  type OutgoingPiece,
  pillion,
} from '../../src/framing/index.js'
import {
  accountOf,
  Dice,
  gather,
  type Outcome,
  piecesOf,
  readAll,
  type Send,
  type SentFrame,
} from '../../src/framing/testing/index.js'
import { linesWithLength } from '../support/framing-codecs.js'
import { frames, simulatedStream, wayToRead } from '../support/framing-scenarios.js'

const limits = frameLimits({ maxDescriptors: 1024, maxPayload: 60_000 })
const formats: readonly (readonly [string, Codec])[] = [
  ['announced', pillion()],
  ['boundary', linesWithLength()],
]

/** Fewer than 1,024 for lines: their sends take 3 each, and each needs a byte of the frame. */
function scenario(codec: Codec): fc.Arbitrary<SentFrame[]> {
  const scenarios = frames(codec.pairing === 'announced' ? limits : { ...limits, maxDescriptors: 12 }, 50_000)
  if (codec.pairing === 'announced') return scenarios
  return scenarios.map((all) => all.map((each) => (each.payload.length === 0 ? { ...each, fds: [] } : each)))
}

function readWith(codec: Codec, sends: readonly Send[], dice: Dice, truncates = false): Outcome {
  const total = sends.reduce((sum, { bytes }) => sum + bytes.length, 0)
  const way = wayToRead(dice, total)
  return readAll(sends, truncates ? { ...way, limits: () => truncation(dice) } : way, {
    codec,
    limits,
    largeFrom: dice.pick([0, 20, 200, 32 * 1024]),
    stream: simulatedStream(dice, total),
    sendsNow: () => dice.roll(3) > 0,
  })
}

function truncation(dice: Dice) {
  return dice.roll(3) > 0 ? {} : dice.pick([{ free: 0 }, { free: dice.roll(4) }, { room: dice.roll(254) }])
}

function expectPayloads(outcome: Outcome, sent: readonly SentFrame[]): void {
  for (const [i, frame] of outcome.frames.entries()) {
    expect(Buffer.compare(frame.payload, sent[i]!.payload), `payload ${i}`).toBe(0)
  }
}

function expectNoneAstray(outcome: Outcome, sends: readonly Send[]): void {
  expect(accountOf(outcome)).toEqual(sends.flatMap(({ fds }) => fds).sort((a, b) => a - b))
}

describe.each(formats)('with %s counts', (_name, codec) => {
  it('gives every frame its descriptors, whatever the sends, the buffers and the reads', () => {
    fc.assert(
      fc.property(scenario(codec), fc.nat(), (sent, seed) => {
        const dice = new Dice(seed)
        const sends = gather(piecesOf(codec, limits, sent), dice)
        const outcome = readWith(codec, sends, dice)

        expect(outcome.error).toBeUndefined()
        expect(outcome.frames.map(({ fds }) => fds)).toEqual(sent.map(({ fds }) => fds))
        expect(outcome.frames.every(({ lost }) => lost === 0)).toBe(true)
        expectPayloads(outcome, sent)
        expectNoneAstray(outcome, sends)
      }),
      { numRuns: 1000 },
    )
  })

  it('comes to the same for the same sends at whatever bytes the reads end', () => {
    fc.assert(
      fc.property(scenario(codec), fc.nat(), (sent, seed) => {
        const sends = gather(piecesOf(codec, limits, sent), new Dice(seed))
        const shown = [1, 2, 3].map((k) => {
          const { frames, error } = readWith(codec, sends, new Dice(seed + k))
          return [error, ...frames.map(({ payload, fds, lost }) => `${payload.length} ${payload[0]} ${fds} ${lost}`)]
        })

        expect(shown[1]).toEqual(shown[0])
        expect(shown[2]).toEqual(shown[0])
      }),
      { numRuns: 250 },
    )
  })

  it('delivers the prefix that survived truncation, counts the rest of that frame alone as lost, and goes on', () => {
    fc.assert(
      fc.property(scenario(codec), fc.nat(), (sent, seed) => {
        const dice = new Dice(seed)
        const sends = gather(piecesOf(codec, limits, sent), dice)
        const outcome = readWith(codec, sends, dice, true)
        const installed = new Set(outcome.stream.installed)

        expect(outcome.error).toBeUndefined()
        expect(outcome.frames.length).toBe(sent.length)
        for (const [i, frame] of outcome.frames.entries()) {
          const { fds } = sent[i]!
          const firstLost = fds.findIndex((token) => !installed.has(token))
          const kept = firstLost < 0 ? fds : fds.slice(0, firstLost)
          expect(frame.fds).toEqual(kept)
          expect(frame.lost).toBe(
            codec.pairing === 'announced' ? fds.length - kept.length : Math.sign(fds.length - kept.length),
          )
        }
        expectPayloads(outcome, sent)
        expectNoneAstray(outcome, sends)
      }),
      { numRuns: 700 },
    )
  })
})

describe('with a sender that breaks the rules', () => {
  const codec = pillion()

  /** The frames laid out as by a proper sender, but that the one at `at` announces `announced`. */
  function layOut(sent: readonly SentFrame[], at: number, announced: number): OutgoingPiece[][] {
    return sent.map((frame, i) => {
      const pieces = piecesOf(codec, limits, [frame])
      if (i !== at) return pieces
      const [first, ...rest] = pieces as [OutgoingPiece, ...OutgoingPiece[]]
      codec.connection(limits).writer.writePrefix(first.bytes, 0, frame.payload.length, announced, 0)
      return [{ ...first, startsSend: true }, ...rest]
    })
  }

  /** Takes one of the frames for the culprit and makes sure that it bears two at least. */
  function withCulprit(sent: readonly SentFrame[], dice: Dice): { sent: SentFrame[]; at: number } {
    const at = dice.roll(sent.length)
    const all = sent.map((frame, i) =>
      i === at && frame.fds.length < 2 ? { ...frame, fds: [100_000, 100_001] } : frame,
    )
    return { sent: all, at }
  }

  /** The right error, nobody's descriptors but a frame's own, and each one accounted for. */
  function expectRefusal(outcome: Outcome, sent: readonly SentFrame[], sends: readonly Send[]): void {
    expect(outcome.error).toBeInstanceOf(DescriptorMismatchError)
    expectOnlyOwn(outcome, sent)
    expectNoneAstray(outcome, sends)
  }

  function expectOnlyOwn(outcome: Outcome, sent: readonly SentFrame[]): void {
    expectPayloads(outcome, sent)
    for (const [i, frame] of outcome.frames.entries()) expect(frame.fds).toEqual(sent[i]!.fds)
  }

  it('ends with a mismatch when a frame announces more than come, and delivers all frames ahead of it', () => {
    fc.assert(
      fc.property(scenario(codec), fc.nat(), (given, seed) => {
        const dice = new Dice(seed)
        const at = dice.roll(given.length)
        const missing = 1 + dice.roll(Math.max(1, 1024 - given[at]!.fds.length))
        fc.pre(given[at]!.fds.length + missing <= 1024)
        const sends = gather(layOut(given, at, given[at]!.fds.length + missing).flat(), dice)
        const outcome = readWith(codec, sends, dice)

        expectRefusal(outcome, given, sends)
        expect(outcome.frames.length).toBe(at)
      }),
      { numRuns: 700 },
    )
  })

  it('ends with a mismatch when a frame announces fewer than come', () => {
    fc.assert(
      fc.property(scenario(codec), fc.nat(), (given, seed) => {
        const dice = new Dice(seed)
        const { sent, at } = withCulprit(given, dice)
        const sends = gather(layOut(sent, at, 1 + dice.roll(sent[at]!.fds.length - 1)).flat(), dice)
        const outcome = readWith(codec, sends, dice)

        expectRefusal(outcome, sent, sends)
        expect(outcome.frames.length).toBeLessThanOrEqual(at)
      }),
      { numRuns: 700 },
    )
  })

  it('ends with a mismatch when a plain frame comes with a set, and gives that set to nobody', () => {
    fc.assert(
      fc.property(scenario(codec), fc.nat(), (sent, seed) => {
        const dice = new Dice(seed)
        const at = dice.roll(sent.length)
        fc.pre(sent[at]!.fds.length === 0)
        const pieces = layOut(sent, -1, 0)
        pieces[at] = withSet(pieces[at]!, dice.roll(5), [100_000, 100_001])
        const sends = gather(pieces.flat(), dice)

        expectRefusal(readWith(codec, sends, dice), sent, sends)
      }),
      { numRuns: 700 },
    )
  })

  it('never gives a set to another frame than its own when it rides on the wrong byte', () => {
    fc.assert(
      fc.property(scenario(codec), fc.nat(), (given, seed) => {
        const dice = new Dice(seed)
        const { sent, at } = withCulprit(given, dice)
        fc.pre(sent.length > 1 && sent[at]!.fds.length <= 253)
        const pieces = layOut(sent, -1, 0)
        pieces[at] = pieces[at]!.map((piece) => ({ ...piece, fds: [], startsSend: false }))
        const beside = at === 0 || (at < sent.length - 1 && dice.roll(2) === 0) ? at + 1 : at - 1
        pieces[beside] = withSet(pieces[beside]!, dice.roll(9), sent[at]!.fds)
        const sends = gather(pieces.flat(), dice)
        const outcome = readWith(codec, sends, dice)

        // A recvmsg may end where the set would have been right, and then nobody can tell.
        if (outcome.error === undefined) expect(outcome.frames.length).toBe(sent.length)
        else expect(outcome.error).toBeInstanceOf(DescriptorMismatchError)
        expectOnlyOwn(outcome, sent)
        expectNoneAstray(outcome, sends)
      }),
      { numRuns: 700 },
    )
  })

  /** A further set, on a send that starts at that byte of the frame's first piece. */
  function withSet(pieces: readonly OutgoingPiece[], offset: number, fds: readonly number[]): OutgoingPiece[] {
    const [first, ...rest] = pieces as [OutgoingPiece, ...OutgoingPiece[]]
    const cut = Math.min(first.start + offset, first.end - 1)
    fc.pre(cut > first.start || fds.length + first.fds.length <= 253)
    const behind = { ...first, start: cut, fds, startsSend: true }
    if (cut === first.start)
      return first.fds.length > 0 ? [{ ...behind, fds: [...fds, ...first.fds] }, ...rest] : [behind, ...rest]
    return [{ ...first, end: cut }, behind, ...rest]
  }

  it('is bounded by the limit when descriptors come with every byte of a frame that never ends', () => {
    const few = frameLimits({ maxDescriptors: 20 })
    const encoder = new FrameEncoder(codec, few)
    const slab = new Uint8Array(5000)
    encoder.writeSmall(slab, 0, new Uint8Array(4900))
    for (const announced of [0, 20]) {
      codec.connection(few).writer.writePrefix(slab, 0, 4900, announced, 0)
      const sends = Array.from({ length: 1000 }, (_, i) => ({ bytes: slab.slice(i, i + 1), fds: [i] }))
      const outcome = readAll(sends, { size: () => 1, wakeUp: () => 1 }, { codec, limits: few })

      expect(outcome.error).toBeInstanceOf(DescriptorMismatchError)
      expect(outcome.stream.installed.length).toBeLessThanOrEqual(21)
      expectNoneAstray(outcome, sends)
    }
  })
})
