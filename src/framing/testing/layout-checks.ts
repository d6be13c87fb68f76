/** The conformance checks of proper senders: whatever the sends, the buffers and the reads, every pair is right. */
import type { ConformanceCheck } from './conformance.js'
import { Dice } from './dice.js'
import type { WayToRead } from './receiving.js'
import { gather, piecesOf, type Send } from './sending.js'
import { SimulatedStream } from './simulated-stream.js'
import type { Subject } from './subject.js'

/** As many places as are tried, one or two at a time. */
const mostPlaces = 400
const mostPairs = 4000
const everything = 1 << 30
/** With memory of its own for each frame that does not come at once, and with none. */
const largeFroms = [8, 32 * 1024]

export function layoutChecks(subject: Subject): ConformanceCheck[] {
  const sends = subject.sends
  return [
    { name: 'is right at every size of reads', run: () => everySize(subject, sends) },
    { name: 'is right wherever one read ends and the next begins', run: () => everySplit(subject, sends) },
    { name: 'is right wherever two reads end', run: () => everyTwoSplits(subject, sends) },
    { name: 'is right wherever a send was partial', run: () => everyPartialSend(subject, sends) },
    { name: 'is right however frames are gathered into sends, buffers and wake-ups', run: () => anyLayout(subject) },
  ]
}

function everySize(subject: Subject, sends: readonly Send[]): void {
  for (const size of places(subject.total)) {
    for (const most of [1, 2, 3, everything]) {
      for (const largeFrom of largeFroms) {
        const way = { size: () => size, wakeUp: () => most }
        const name = `reads of ${size} bytes, ${most} in a wake-up, largeFrom ${largeFrom}`
        subject.expectAll(subject.read(sends, way, { largeFrom }), sends, name)
      }
    }
  }
}

function everySplit(subject: Subject, sends: readonly Send[]): void {
  for (const first of places(subject.total)) {
    for (const lends of [true, false]) {
      for (const largeFrom of largeFroms) {
        const way = { ...readsOf(first), lends }
        const name = `a read of ${first} bytes, then the rest, ${lends ? 'lent' : 'copied'}, largeFrom ${largeFrom}`
        subject.expectAll(subject.read(sends, way, { largeFrom }), sends, name)
      }
    }
  }
}

function everyTwoSplits(subject: Subject, sends: readonly Send[]): void {
  const most = Math.floor(Math.sqrt(mostPairs))
  for (const first of places(subject.total, most)) {
    for (const second of places(subject.total - first, most)) {
      const way = readsOf(first, second)
      const name = `reads of ${first} and ${second} bytes, then the rest`
      subject.expectAll(subject.read(sends, way, { largeFrom: 8 }), sends, name)
    }
  }
}

function everyPartialSend(subject: Subject, sends: readonly Send[]): void {
  for (const at of places(subject.total)) {
    const cut = cutAt(sends, at)
    for (const size of [1, 7, everything]) {
      const name = `a send that stopped at byte ${at}, reads of ${size} bytes`
      subject.expectAll(subject.read(cut, { size: () => size, wakeUp: () => 1 }), cut, name)
    }
  }
}

function anyLayout(subject: Subject): void {
  const pieces = piecesOf(subject.codec, subject.limits, subject.frames)
  for (let seed = 0; seed < 300; seed++) {
    const dice = new Dice(seed)
    const sends = gather(pieces, dice)
    const largest = dice.pick([1, 3, 20, 5000])
    const most = dice.pick([1, 2, 5, 100])
    const way: WayToRead = {
      size: () => 1 + dice.roll(largest),
      wakeUp: () => 1 + dice.roll(most),
      lends: dice.roll(2) === 0,
      readiness: dice.pick(['level', 'edge']),
    }
    const outcome = subject.read(sends, way, {
      largeFrom: dice.pick([0, 8, 40, 32 * 1024]),
      stream: new SimulatedStream({
        skbBytes: dice.pick([1, 5, 64, 36_544]),
        sendBuffer: dice.pick([10, 400, 212_992]),
        skbOverhead: dice.pick([1, 767]),
      }),
      sendsNow: () => dice.roll(3) > 0,
    })
    subject.expectAll(outcome, sends, `layout ${seed}`)
  }
}

/** From 1 up to `total`: all, or as many as may be, evenly. */
export function places(total: number, most: number = mostPlaces): number[] {
  const step = Math.max(1, total / most)
  const found = new Set<number>()
  for (let at = 1; at <= total; at += step) found.add(Math.floor(at))
  return [...found]
}

function readsOf(...sizes: readonly number[]): WayToRead {
  return { size: (k) => sizes[k] ?? everything, wakeUp: () => 1 }
}

/** Sends of which one is cut in two at a byte of the stream; the rest goes without descriptors. */
function cutAt(sends: readonly Send[], at: number): Send[] {
  let start = 0
  return sends.flatMap((send) => {
    const offset = at - start
    start += send.bytes.length
    if (offset <= 0 || offset >= send.bytes.length) return [send]
    return [
      { bytes: send.bytes.subarray(0, offset), fds: send.fds },
      { bytes: send.bytes.subarray(offset), fds: [] },
    ]
  })
}
