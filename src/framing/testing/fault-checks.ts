/**
 * The conformance checks of what goes wrong: a stream that ends too early, sets that were cut short, peers that break the
 * rules. The right error, the frames before it, and no descriptor astray.
 */
import {
  DescriptorLostError,
  DescriptorMismatchError,
  FrameTooLargeError,
  PillionError,
  ProtocolError,
  TooManyDescriptorsError,
} from '../../errors.js'
import { FrameEncoder } from '../frame-encoder.js'
import type { FrameLimits } from '../limits.js'
import type { ConformanceCheck } from './conformance.js'
import { Dice } from './dice.js'
import { places } from './layout-checks.js'
import type { Outcome, WayToRead } from './receiving.js'
import type { Send } from './sending.js'
import { SimulatedStream } from './simulated-stream.js'
import { expect, expectAccount, expectEnding, type Subject } from './subject.js'

const atOnce: WayToRead = { size: () => 1 << 30 }
const byteByByte: WayToRead = { size: () => 1, wakeUp: () => 1 }
const ways = { 'at once': atOnce, 'byte by byte': byteByByte }

export function faultChecks(subject: Subject): ConformanceCheck[] {
  return [
    { name: 'tells a clean end of the stream from one inside a frame', run: () => endsAnywhere(subject) },
    { name: 'reports lost descriptors with their frame alone', run: () => losesAnySet(subject) },
    { name: 'never gives out descriptors that do not match', run: () => mismatches(subject) },
    { name: 'refuses what is over the limits, at both ends', run: () => limits(subject) },
    { name: 'ends in an error of ours, at the worst, whatever bytes come', run: () => anyBytes(subject) },
  ]
}

function endsAnywhere(subject: Subject): void {
  const all = subject.sends
  for (const at of [0, ...places(subject.total)]) {
    const sends = upTo(all, at)
    const whole = subject.ends.filter((end) => end <= at).length
    const start = whole === 0 ? 0 : subject.ends[whole - 1]!
    const clean = start === at || subject.codec.cutsAtReceives === true
    for (const [name, way] of Object.entries(ways)) {
      for (const largeFrom of [8, 32 * 1024]) {
        const ending = clean
          ? 'a clean end'
          : (error: Error) => error instanceof ProtocolError && error.position === start && error.cause === undefined
        const outcome = subject.read(sends, way, { largeFrom })
        subject.expectFirst(whole, ending, outcome, sends, `a stream of ${at} bytes, read ${name}`)
      }
    }
  }
}

function losesAnySet(subject: Subject): void {
  const sends = subject.sends
  for (const i of subject.bearing) {
    const { fds } = subject.frames[i]!
    for (const kept of new Set([0, 1, fds.length - 1])) {
      if (kept >= fds.length) continue
      const stream = new SimulatedStream()
      // Tokens count up, so the next one to arrive says whose set it is.
      const full = () => stream.installed.length + stream.closed.length === fds[0]
      const way = { ...atOnce, limits: () => (full() ? { free: kept } : {}) }
      const outcome = subject.read(sends, way, { stream })
      expectLoss(subject, i, kept, outcome, `frame ${i} with ${kept} of ${fds.length} descriptors`)
      expectAccount(outcome, sends, `frame ${i}`)
    }
  }
}

function expectLoss(subject: Subject, i: number, kept: number, outcome: Outcome, way: string): void {
  const { pairing, cutsAtReceives } = subject.codec
  const behind = subject.bearing.find((k) => k > i)
  const ends = pairing === 'queue' && behind !== undefined
  expectEnding(ends ? (error) => error instanceof DescriptorLostError : 'a clean end', outcome, way)
  const bearing = outcome.frames.filter(({ fds, lost }) => fds.length + lost > 0)
  const expected = subject.bearing.filter((k) => !ends || k <= i)
  expect(bearing.length === expected.length, `${way}: ${bearing.length} frames bear, expected ${expected.length}`)
  for (const [k, frame] of expected.entries()) {
    const { fds } = subject.frames[frame]!
    const left = frame === i ? fds.slice(0, kept) : fds
    const lost = frame !== i ? 0 : pairing === 'boundary' ? 1 : fds.length - kept
    expect(
      bearing[k]!.fds.join() === left.join(),
      `${way}: frame ${frame} has [${bearing[k]!.fds}], expected [${left}]`,
    )
    expect(bearing[k]!.lost === lost, `${way}: frame ${frame} has lost ${bearing[k]!.lost}, expected ${lost}`)
  }
  const count = ends ? behind : subject.frames.length
  expect(cutsAtReceives === true || outcome.frames.length === count, `${way}: ${outcome.frames.length} frames came out`)
}

/** One too many, one too few; without counts, only what is over the limit can be told. */
function mismatches(subject: Subject): void {
  const { pairing } = subject.codec
  const sends = subject.sends
  const isMismatch = (error: Error) => error instanceof DescriptorMismatchError
  const extra = subject.frames.flatMap(({ fds }) => fds).length
  for (const i of subject.bearing) {
    const { fds } = subject.frames[i]!
    const changed = (with_: readonly number[]) => sends.map((s) => (s.fds[0] === fds[0] ? { ...s, fds: with_ } : s))
    for (const [name, way] of Object.entries(ways)) {
      if (pairing !== 'boundary') {
        const fewer = changed(fds.slice(0, -1))
        const outcome = subject.read(fewer, way)
        expectEnding(isMismatch, outcome, `frame ${i} with one too few, read ${name}`)
        expectFront(subject, i, outcome, fewer, `frame ${i} with one too few, read ${name}`)
      }
      if (pairing === 'queue') continue // one too many is the next one's
      const more = changed([...fds, extra])
      const most = pairing === 'boundary' ? fds.length : subject.limits.maxDescriptors
      const ending = pairing === 'boundary' && largerThan(subject, i, most) ? () => true : isMismatch
      const outcome = subject.read(more, way, { limits: { ...subject.limits, maxDescriptors: most } })
      expectEnding(ending, outcome, `frame ${i} with one too many, read ${name}`)
      expectFront(subject, i, outcome, more, `frame ${i} with one too many, read ${name}`)
    }
  }
}

/** Whether a frame ahead of that one has more descriptors than that. */
function largerThan(subject: Subject, i: number, count: number): boolean {
  return subject.frames.slice(0, i).some(({ fds }) => fds.length > count)
}

/** Throws if a frame ahead of `count` came out wrong, or a frame from there on with descriptors. */
function expectFront(subject: Subject, count: number, outcome: Outcome, sends: readonly Send[], way: string): void {
  if (subject.codec.cutsAtReceives !== true && subject.codec.pairing !== 'queue') {
    for (const [i, { fds }] of outcome.frames.entries()) {
      const expected = i < count ? subject.frames[i]!.fds.join() : ''
      const inPart = i === count && fds.every((fd) => subject.frames[i]!.fds.includes(fd))
      expect(fds.join() === expected || inPart, `${way}: frame ${i} came out with the descriptors [${fds}]`)
    }
  }
  expectAccount(outcome, sends, way)
}

function limits(subject: Subject): void {
  const lengths = subject.frames.map(({ payload }) => payload.length)
  const counts = subject.frames.map(({ fds }) => fds.length)
  const longest = Math.max(...lengths)
  const most = Math.max(...counts)
  if (longest > 0 && subject.codec.cutsAtReceives !== true) {
    const i = lengths.indexOf(longest)
    overLimit(subject, i, { maxPayload: longest - 1 }, (error) => error instanceof FrameTooLargeError)
  }
  if (most > 0) {
    // Without a count, or ahead of it, the descriptors themselves are too many.
    const isRight = (e: Error) => e instanceof TooManyDescriptorsError || e instanceof DescriptorMismatchError
    overLimit(subject, counts.indexOf(most), { maxDescriptors: most - 1 }, isRight)
  }
}

function overLimit(subject: Subject, i: number, less: Partial<FrameLimits>, isRight: (error: Error) => boolean): void {
  const limit = { ...subject.limits, ...less }
  // Too long a frame is refused before all of it has come: it may never end.
  const ends = less.maxPayload === undefined ? [subject.total] : [subject.total, subject.ends[i]! - 1]
  for (const end of ends) {
    for (const [name, way] of Object.entries(ways)) {
      const sends = upTo(subject.sends, end)
      const outcome = subject.read(sends, way, { limits: limit })
      const isRemote = (e: Error) => isRight(e) && originOf(e) === 'remote' && tellsPlace(e, subject.start(i))
      subject.expectFirst(i, isRemote, outcome, sends, `over the limit, ${end} bytes read ${name}`)
    }
  }
  const encoder = new FrameEncoder(subject.codec, limit)
  for (const [k, { payload, fds }] of subject.frames.slice(0, i + 1).entries()) {
    try {
      encoder.check(payload, fds.length)
    } catch (error) {
      const local = error instanceof FrameTooLargeError || error instanceof TooManyDescriptorsError
      expect(k === i && local && error.origin === 'local', `sending frame ${k} over a limit throws ${String(error)}`)
      return
    }
    encoder.write(new Uint8Array(encoder.copiedLength(payload, 0)), 0, payload, { fds, flags: 0, copyBelow: 0 }, [])
  }
  throw new Error(`frame ${i} is over a limit of the sender, and it is not refused`)
}

/** Of a frame that is over a limit: where it starts. */
function tellsPlace(error: Error, start: number): boolean {
  const isLimit = error instanceof FrameTooLargeError || error instanceof TooManyDescriptorsError
  return !isLimit || error.position === start
}

function originOf(error: Error): string | undefined {
  return error instanceof PillionError ? error.origin : undefined
}

/** The samples with bytes changed, left out and put in, and nothing but noise. */
function anyBytes(subject: Subject): void {
  for (let seed = 0; seed < 400; seed++) {
    const dice = new Dice(seed)
    const sends = subject.sends.map((send) => ({ ...send, bytes: spoilt(send.bytes, dice) }))
    const largest = dice.pick([2, 7, 100])
    const byDice = { size: () => 1 + dice.roll(largest), wakeUp: () => 1 + dice.roll(3) }
    const faults: ProtocolError[] = []
    for (const way of [atOnce, byteByByte, byDice]) {
      const outcome = subject.read(sends, way, { largeFrom: dice.pick([8, 32 * 1024]) })
      const { error } = outcome
      expect(error?.cause === undefined, `noise ${seed}: ${error?.message}: ${String(error?.cause)}`)
      expectAccount(outcome, sends, `noise ${seed}`)
      if (error instanceof ProtocolError) faults.push(error)
    }
    for (const { message } of faults) {
      const first = faults[0]!.message
      expect(message === first, `noise ${seed}: "${message}" in one way of reading, "${first}" in another`)
    }
  }
}

function spoilt(bytes: Uint8Array, dice: Dice): Uint8Array {
  const spoilt = Uint8Array.from(bytes)
  const changes = dice.pick([0, 0, 1, 2, bytes.length])
  for (let i = 0; i < changes; i++) {
    spoilt[dice.roll(bytes.length)] = dice.pick([0, 1, 0x7f, 0x80, 0xff, dice.roll(256)])
  }
  // At least a byte is left: without, a set would have none to ride on.
  return dice.roll(8) === 0 ? spoilt.subarray(0, 1 + dice.roll(bytes.length)) : spoilt
}

function upTo(sends: readonly Send[], at: number): Send[] {
  let start = 0
  return sends.flatMap((send) => {
    const left = at - start
    start += send.bytes.length
    return left <= 0 ? [] : [{ bytes: send.bytes.subarray(0, left), fds: send.fds }]
  })
}
