/** One scenario in which everything occurs, at every byte boundary that sends and reads can have. */
import { describe, expect, it } from 'vitest'
import { type Codec, frameLimits, pillion } from '../../src/framing/index.js'
import {
  accountOf,
  gather,
  type Outcome,
  piecesOf,
  readAll,
  type Send,
  type SentFrame,
} from '../../src/framing/testing/index.js'
import { linesWithLength } from '../support/framing-codecs.js'

const limits = frameLimits({ maxDescriptors: 300 })

function scenario(manySets: number): SentFrame[] {
  let token = 0
  const shapes = [
    ...[
      [3, 0],
      [1, 2],
      [0, 0],
      [5, 1],
      [2, 0],
      [40, manySets],
      [4, 0],
      [1, 1],
      [1, 1],
      [60, 0],
      [2, 0],
    ],
  ] as const
  return shapes.map(([size, count]) => ({
    payload: new Uint8Array(size!).fill(size!),
    fds: Array.from({ length: count! }, () => token++),
  }))
}

describe.each<[string, Codec, SentFrame[]]>([
  ['announced', pillion(), scenario(300)],
  ['boundary', linesWithLength(), scenario(7)],
])('with %s counts, every pair is right', (_name, codec, sent) => {
  const reading = { codec, limits, largeFrom: 30 }
  const sends = gather(piecesOf(codec, limits, sent))
  const total = sends.reduce((sum, { bytes }) => sum + bytes.length, 0)
  const tokens = sent.flatMap(({ fds }) => fds)

  function right(outcome: Outcome): boolean {
    return (
      outcome.error === undefined &&
      outcome.frames.length === sent.length &&
      outcome.frames.every(
        ({ payload, fds, lost }, i) =>
          lost === 0 && fds.join() === sent[i]!.fds.join() && Buffer.compare(payload, sent[i]!.payload) === 0,
      ) &&
      accountOf(outcome).join() === tokens.join()
    )
  }

  /** Sends cut in two at a byte of the stream. */
  function cut(at: number): Send[] {
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

  it('wherever one read ends and the next begins', () => {
    const wrong: string[] = []
    for (let first = 1; first < total; first++) {
      for (const lends of [true, false]) {
        const way = { size: (k: number) => (k === 0 ? first : 1 << 20), wakeUp: () => 1, lends }
        if (!right(readAll(sends, way, reading))) wrong.push(`${first}, ${lends}`)
      }
    }
    expect(wrong).toEqual([])
  })

  it('at every size of all reads, alone and with others in one wake-up', () => {
    const wrong: string[] = []
    for (let size = 1; size <= total; size++) {
      for (const most of [1, 2, 3, 1000]) {
        if (!right(readAll(sends, { size: () => size, wakeUp: () => most }, reading))) wrong.push(`${size}, ${most}`)
      }
    }
    expect(wrong).toEqual([])
  })

  it('wherever two reads end behind one another', () => {
    const wrong: string[] = []
    for (let first = 1; first < total; first++) {
      for (let second = 1; second < total - first; second += 1) {
        const way = { size: (k: number) => (k === 0 ? first : k === 1 ? second : 1 << 20), wakeUp: () => 1 }
        if (!right(readAll(sends, way, reading))) wrong.push(`${first}, ${second}`)
      }
    }
    expect(wrong).toEqual([])
  })

  it('wherever a send was partial', () => {
    const wrong: string[] = []
    for (let at = 1; at < total; at++) {
      for (const size of [1, 2, 7, 1 << 20]) {
        if (!right(readAll(cut(at), { size: () => size, wakeUp: () => 1 }, reading))) wrong.push(`${at}, ${size}`)
      }
    }
    expect(wrong).toEqual([])
  })
})
