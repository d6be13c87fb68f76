import { describe, expect, it } from 'vitest'
import {
  DescriptorMismatchError,
  type DescriptorSet,
  FrameDecoder,
  FrameTable,
  frameLimits,
  ProtocolError,
  pillion,
} from '../../src/framing/index.js'
import type { Send } from '../../src/framing/testing/index.js'
import { accountOf, type Outcome, readInEveryWay } from '../../src/framing/testing/index.js'
import { linesWithLength } from '../support/framing-codecs.js'

const limits = frameLimits({ maxDescriptors: 300 })

/** A frame that says it bears `announced`. */
function frame(announced: number, payload = 'p'): Uint8Array {
  const bytes = Buffer.alloc(8 + payload.length)
  pillion().connection(limits).writer.writePrefix(bytes, 0, payload.length, announced, 0)
  bytes.write(payload, 8)
  return bytes
}

function send(bytes: readonly Uint8Array[], ...fds: number[]): Send {
  return { bytes: Buffer.concat(bytes), fds }
}

function numbers(count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, i) => from + i)
}

/** Reads in every way, and finds every descriptor exactly once, wherever it ended. */
function outcomesOf(sends: readonly Send[], codec = pillion()): Outcome[] {
  const outcomes = readInEveryWay(sends, { codec, limits })
  const sent = sends.flatMap((each) => each.fds).sort((a, b) => a - b)
  for (const outcome of outcomes) expect(accountOf(outcome), outcome.way).toEqual(sent)
  return outcomes
}

function fdsOf(outcome: Outcome): (readonly number[])[] {
  return outcome.frames.map(({ fds }) => fds)
}

/** What comes of pushes, each with the bytes behind the last ones and the sets that came with them. */
function push(pushes: readonly (readonly [bytes: Uint8Array, ...sets: DescriptorSet[]])[]) {
  const decoder = new FrameDecoder(pillion(), limits)
  const table = new FrameTable()
  const delivered: (readonly number[])[][] = []
  let carried = Buffer.alloc(0)
  let position = 0
  for (const [bytes, ...sets] of pushes) {
    const chunk = Buffer.concat([carried, bytes])
    const rows: (readonly number[])[] = []
    decoder.push(0, chunk, 0, chunk.length, position, sets)
    while (decoder.next(table)) for (let i = 0; i < table.length; i++) rows.push(table.bearing(i)?.fds ?? [])
    delivered.push(rows)
    position += decoder.consumed
    carried = chunk.subarray(decoder.consumed)
  }
  return { delivered, error: decoder.error, released: decoder.release() }
}

function set(end: number, ...fds: number[]): DescriptorSet {
  return { end, truncated: false, fds }
}

function truncated(end: number, ...fds: number[]): DescriptorSet {
  return { end, truncated: true, fds }
}

describe('pairing by announced counts', () => {
  it('gives each frame its own descriptors, with plain frames before, between and behind', () => {
    const sends = [send([frame(0), frame(0)]), send([frame(2), frame(0)], 1, 2), send([frame(1)], 3), send([frame(0)])]
    for (const outcome of outcomesOf(sends)) {
      expect(outcome.error, outcome.way).toBeUndefined()
      expect(fdsOf(outcome), outcome.way).toEqual([[], [], [1, 2], [], [3], []])
    }
  })

  it('gathers 300 descriptors from two sends that start inside one frame', () => {
    const bytes = frame(300)
    const sends = [
      { bytes: bytes.subarray(0, 1), fds: numbers(253) },
      { bytes: Buffer.concat([bytes.subarray(1), frame(0)]), fds: numbers(47, 253) },
    ]
    for (const outcome of outcomesOf(sends)) expect(fdsOf(outcome), outcome.way).toEqual([numbers(300), []])
  })

  it('gives a set whose recvmsg ended in a plain frame to the bearing one ahead of it', () => {
    expect(push([[Buffer.concat([frame(1), frame(0), frame(0)]), set(20, 7)]]).delivered).toEqual([[[7], [], []]])
  })

  it('gives a set whose recvmsg ended with the last byte of a frame to this one, not to the next', () => {
    expect(push([[Buffer.concat([frame(1), frame(1)]), set(9, 7), set(18, 8)]]).delivered).toEqual([[[7], [8]]])
  })

  it('gives a set to the frame whose first byte its recvmsg ended with, once that has the rest of its header', () => {
    const bytes = frame(1)

    expect(
      push([[Buffer.concat([frame(0), bytes.subarray(0, 1)]), set(10, 7)], [bytes.subarray(1)]]).delivered,
    ).toEqual([[[]], [[7]]])
  })

  describe('while a set may be that of a frame or of the next, whose header is not all there', () => {
    const bytes = Buffer.concat([frame(0), frame(1), frame(0)])

    it('withholds the frame and all behind it, and no frame ahead of it', () => {
      expect(push([[bytes.subarray(0, 20), set(20, 7)]])).toEqual({
        delivered: [[[]]],
        error: undefined,
        released: [7],
      })
    })

    it('delivers it when the next frame turns out to bear nothing', () => {
      const result = push([[bytes.subarray(0, 20), set(20, 7)], [bytes.subarray(20, 25)], [bytes.subarray(25)]])

      expect(result).toEqual({ delivered: [[[]], [], [[7], []]], error: undefined, released: [] })
    })

    it('delivers it before the next frame is complete', () => {
      const result = push([[bytes.subarray(0, 20), set(20, 7)], [bytes.subarray(20, 26)]])

      expect(result.delivered).toEqual([[[]], [[7]]])
    })

    it('refuses it when the next frame bears the set itself', () => {
      const { delivered, error, released } = push([
        [Buffer.concat([frame(0), frame(1), frame(1).subarray(0, 2)]), set(20, 7)],
        [frame(1).subarray(2)],
      ])

      expect(delivered).toEqual([[[]], []])
      expect(error).toBeInstanceOf(DescriptorMismatchError)
      expect(error).toMatchObject({ position: 9 })
      expect(released).toEqual([7])
    })

    it('does not deliver it when the next header is malformed', () => {
      const { delivered, error, released } = push([[bytes.subarray(0, 20), set(20, 7)], [Buffer.alloc(6, 0xff)]])

      expect(delivered).toEqual([[[]], []])
      expect(error).toBeInstanceOf(ProtocolError)
      expect(released).toEqual([7])
    })

    it('keeps the bytes of plain frames between them, which lie in a chunk that goes', () => {
      const sends = [send([frame(1, 'bearing'), frame(0, 'between'), frame(0, 'cut')], 7), send([frame(0, 'end')])]
      const reading = { codec: pillion(), limits }
      for (const outcome of readInEveryWay(sends, reading)) {
        expect(outcome.frames.map(({ payload }) => Buffer.from(payload).toString())).toEqual([
          'bearing',
          'between',
          'cut',
          'end',
        ])
      }
      const decoder = new FrameDecoder(pillion(), limits)
      const table = new FrameTable()
      const all = Buffer.from(sends[0]!.bytes)
      const chunk = all.subarray(0, 33)
      decoder.push(0, chunk, 0, 33, 0, [set(33, 7)])
      expect(decoder.next(table)).toBe(false)
      const next = Buffer.concat([chunk.subarray(decoder.consumed), all.subarray(33)])
      const { consumed } = decoder
      chunk.fill(0)
      decoder.push(0, next, 0, next.length, consumed, [])
      expect(decoder.next(table)).toBe(true)
      expect(table.ownsBytes).toBe(true)
      expect([0, 1].map((i) => Buffer.from(table.bytes.subarray(table.start(i), table.end(i))).toString())).toEqual([
        'bearing',
        'between',
      ])
      expect(table.position(1)).toBe(23)
    })

    it('waits for it behind a large frame too', () => {
      const large = frame(300, 'x'.repeat(50_000))
      const pushes = [
        [large.subarray(0, 40_000), set(100, ...numbers(253))],
        [
          Buffer.concat([large.subarray(40_000), frame(0), frame(0).subarray(0, 3)]),
          set(large.length + 12, ...numbers(47, 253)),
        ],
        [frame(0).subarray(3)],
      ] as const

      expect(push(pushes)).toEqual({ delivered: [[], [], [numbers(300), [], []]], error: undefined, released: [] })
    })
  })

  describe('refuses, and delivers only what lies ahead:', () => {
    it.each<[string, Send[], number, number]>([
      ['a frame none of whose descriptors came', [send([frame(0), frame(2), frame(0)])], 1, 1],
      ['a frame some of whose descriptors came', [send([frame(0)]), send([frame(2)], 1), send([frame(0)])], 1, 1],
      ['a frame without its descriptors ahead of one that has its own', [send([frame(1)]), send([frame(1)], 1)], 0, 0],
      ['a frame with more than it announced', [send([frame(0)]), send([frame(2)], 1, 2, 3), send([frame(0)])], 1, 1],
      ['descriptors before any frame bears', [send([frame(0)], 1), send([frame(1)], 2)], 0, 0],
      ['descriptors on a frame behind one that has its own', [send([frame(1)], 1), send([frame(0)], 2)], 0, 1],
      [
        'a second set beyond the count',
        [send([frame(1, 'first half, ')], 1), send([frame(0)], 2), send([frame(1)], 3)],
        0,
        1,
      ],
    ])('%s', (_what, sends, least, most) => {
      for (const outcome of outcomesOf(sends)) {
        expect(outcome.error, outcome.way).toBeInstanceOf(DescriptorMismatchError)
        // A surplus may show only when the frame has been delivered already, with what was its own.
        expect(outcome.frames.length, outcome.way).toBeGreaterThanOrEqual(least)
        expect(outcome.frames.length, outcome.way).toBeLessThanOrEqual(most)
        for (const { fds, announced } of outcome.frames) expect(fds.length).toBe(announced)
      }
    })

    it('a set behind a frame that has been delivered, but not the frames ahead of the set', () => {
      const { delivered, error, released } = push([
        [frame(1), set(9, 7)],
        [Buffer.concat([frame(0), frame(0), frame(0)]), set(30, 8)],
      ])

      expect(delivered).toEqual([[[7]], [[], []]])
      expect(error).toMatchObject({ code: 'ERR_PILLION_DESCRIPTOR_MISMATCH', origin: 'remote', position: 29 })
      expect(released).toEqual([8])
    })

    it('a frame that has not been delivered yet, though its surplus came with one behind it', () => {
      const { delivered, error, released } = push([
        [Buffer.concat([frame(0), frame(1), frame(0), frame(0)]), set(18, 7), set(36, 8)],
      ])

      expect(delivered).toEqual([[[]]])
      expect(error).toMatchObject({ position: 9 })
      expect(released.sort()).toEqual([7, 8])
    })

    it('a frame in progress, as soon as it has one descriptor too many', () => {
      const { error, released } = push([[frame(1, 'abcdef').subarray(0, 10), set(9, 7), set(10, 8)]])

      expect(error).toBeInstanceOf(DescriptorMismatchError)
      expect(released.sort()).toEqual([7, 8])
    })

    it('more descriptors with a header that never ends than any frame may have', () => {
      const bytes = frame(300)
      const most = push([
        [bytes.subarray(0, 1), set(1, ...numbers(253))],
        [bytes.subarray(1, 2), set(2, ...numbers(47, 253))],
      ])
      const more = push([
        [bytes.subarray(0, 1), set(1, ...numbers(253))],
        [bytes.subarray(1, 2), set(2, ...numbers(48, 253))],
      ])

      expect(most.error).toBeUndefined()
      expect(more.error).toBeInstanceOf(DescriptorMismatchError)
      expect(more.released).toEqual(numbers(301))
    })

    it('sets that lost all they had, where no frame bears or too many of them come', () => {
      expect(push([[frame(0), truncated(9)]]).error).toBeInstanceOf(DescriptorMismatchError)
      expect(push([[frame(1), truncated(9)]]).error).toBeUndefined()
      expect(push([[frame(1), truncated(8), truncated(9)]]).error).toBeInstanceOf(DescriptorMismatchError)
    })
  })

  describe('after truncation', () => {
    const bytes = frame(300)

    it('delivers the prefix that arrived and counts the rest as lost, for that frame alone', () => {
      const decoder = new FrameDecoder(pillion(), limits)
      const table = new FrameTable()
      const chunk = Buffer.concat([frame(3), frame(1)])
      decoder.push(0, chunk, 0, chunk.length, 0, [truncated(9, 1, 2), set(18, 3)])

      expect(decoder.next(table)).toBe(true)
      expect(table.bearing(0)).toMatchObject({ announced: 3, fds: [1, 2], lost: 1 })
      expect(table.bearing(1)).toMatchObject({ announced: 1, fds: [3], lost: 0 })
    })

    it('delivers a frame of whose descriptors none could be installed', () => {
      expect(push([[frame(2), truncated(9)]])).toEqual({ delivered: [[[]]], error: undefined, released: [] })
    })

    it('discards the later sets of the frame, so that what it has stays a prefix', () => {
      const decoder = new FrameDecoder(pillion(), limits)
      const table = new FrameTable()
      decoder.push(0, bytes, 0, bytes.length, 0, [truncated(1, ...numbers(10)), set(9, ...numbers(47, 253))])

      expect(decoder.next(table)).toBe(true)
      expect(table.bearing(0)).toMatchObject({ fds: numbers(10), lost: 290 })
      expect(decoder.discarded).toEqual(numbers(47, 253))
      expect(decoder.release()).toEqual(numbers(47, 253))
    })

    it('discards them after the frame has been delivered as well', () => {
      const result = push([
        [Buffer.concat([bytes, frame(0).subarray(0, 2)]), truncated(1, 1), set(11, ...numbers(47, 253))],
        [frame(0).subarray(2)],
      ])

      expect(result).toEqual({ delivered: [[[1]], [[]]], error: undefined, released: numbers(47, 253) })
    })

    it('loses nothing of a frame that has all it announced, whatever else was cut off', () => {
      const decoder = new FrameDecoder(pillion(), limits)
      const table = new FrameTable()
      const chunk = frame(2)
      decoder.push(0, chunk, 0, chunk.length, 0, [truncated(9, 1, 2)])

      expect(decoder.next(table)).toBe(true)
      expect(table.bearing(0)).toMatchObject({ fds: [1, 2], lost: 0 })
    })
  })
})

describe('pairing by boundaries', () => {
  const codec = linesWithLength()

  function line(text: string): Uint8Array {
    return Buffer.concat([Buffer.from([0x23, 0, text.length]), Buffer.from(`${text}\n`)])
  }

  it('gives a set to the frame that holds the last byte of its recvmsg', () => {
    const sends = [send([line('a'), line('')]), send([line('b')], 1, 2), send([line('c')]), send([line('d')], 3)]
    for (const outcome of outcomesOf(sends, codec)) {
      expect(outcome.error, outcome.way).toBeUndefined()
      expect(fdsOf(outcome), outcome.way).toEqual([[], [], [1, 2], [], [3]])
    }
  })

  it('appends several sets of one frame in their order', () => {
    const [bytes, behind] = [line('abcdef'), line('g')]
    const sends = [
      { bytes: bytes.subarray(0, 1), fds: [1, 2] },
      { bytes: bytes.subarray(1, 6), fds: [3] },
      { bytes: bytes.subarray(6), fds: [4] },
      { bytes: behind, fds: [] },
    ]
    for (const outcome of outcomesOf(sends, codec)) expect(fdsOf(outcome), outcome.way).toEqual([[1, 2, 3, 4], []])
  })

  it('reports one lost for a frame with a truncated set, and discards its later sets', () => {
    const decoder = new FrameDecoder(codec, limits)
    const table = new FrameTable()
    const chunk = Buffer.concat([line('abc'), line('d')])
    decoder.push(0, chunk, 0, chunk.length, 0, [set(1, 1), truncated(2, 2), set(7, 3), set(12, 4)])

    expect(decoder.next(table)).toBe(true)
    expect(table.bearing(0)).toMatchObject({ fds: [1, 2], lost: 1, announced: 0 })
    expect(table.bearing(1)).toMatchObject({ fds: [4], lost: 0 })
    expect(decoder.discarded).toEqual([3])
  })

  it('refuses more for one frame than the limit, complete or in progress, and delivers what lies ahead', () => {
    const bytes = line('abcdefgh')
    const tooMany = [
      { bytes: bytes.subarray(0, 1), fds: numbers(150) },
      { bytes: bytes.subarray(1, 2), fds: numbers(150, 150) },
      { bytes: bytes.subarray(2), fds: [300] },
    ]
    for (const outcome of outcomesOf([send([line('ahead')], 301), ...tooMany], codec)) {
      expect(outcome.error, outcome.way).toBeInstanceOf(DescriptorMismatchError)
      expect(fdsOf(outcome), outcome.way).toEqual([[301]])
    }
    for (const outcome of outcomesOf(
      tooMany.map((each, i) => (i === 2 ? { ...each, bytes: bytes.subarray(2, 4) } : each)),
      codec,
    )) {
      expect(outcome.error, outcome.way).toBeInstanceOf(DescriptorMismatchError)
    }
  })
})
