/** What the queue lays out for a system call, turns, and back-off: the parts of sending that need no socket. */
import { existsSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Backoff } from '../../src/transport/backoff.js'
import { binding } from '../../src/transport/native.js'
import { plainGroup, SendQueue, type SpecialPiece } from '../../src/transport/send-queue.js'
import {
  beginRun,
  closeRun,
  commitToSlab,
  openRun,
  releaseFromSlab,
  reserveInSlab,
  sendSlabCursor,
  slabBytes,
} from '../../src/transport/send-slab.js'
import { currentTurn, flushSoon, handOver, isHandingOver } from '../../src/transport/turn.js'

vi.mock('../../src/event-loop.js', () => import('../support/clock-of-the-moment.js'))

const memory = new Uint8Array(1 << 20)

function bearing(group: number, fds: readonly number[], length = 1, more: Partial<SpecialPiece> = {}): SpecialPiece {
  const ride = { fds, owned: false, startsSend: true, endsSend: false, begins: true, group }
  return { bytes: memory, start: 0, end: length, ...ride, ...more }
}

/** The messages laid out: the pieces' lengths, and the descriptors. */
function laidOut(queue: SendQueue): { lengths: number[]; fds: number[] }[] {
  const { messages } = queue.layOut()
  const rows: { lengths: number[]; fds: number[] }[] = []
  let at = 0
  for (let row = 0; row < messages; row++) {
    const [pieces, count] = [binding.plan[at] as number, binding.plan[at + 1] as number]
    at += 3
    const lengths = Array.from({ length: pieces }, (_, i) => binding.plan[at + 3 * i + 2] as number)
    at += 3 * pieces
    rows.push({ lengths, fds: [...binding.plan.subarray(at, at + count)] })
    at += count
  }
  return rows
}

describe('SendQueue', () => {
  it('joins plain bytes that lie behind one another, and no others', () => {
    const queue = new SendQueue()
    queue.pushPlain(memory, 0, 10, plainGroup)
    queue.pushPlain(memory, 10, 30, plainGroup)
    queue.pushPlain(memory, 31, 40, plainGroup)
    queue.pushPlain(new Uint8Array(5), 0, 5, plainGroup)
    queue.pushPlain(memory, 50, 50, plainGroup)
    expect(laidOut(queue)).toEqual([{ lengths: [30, 9, 5], fds: [] }])
    expect(queue.queued).toBe(44)
  })

  it('begins a message where descriptors ride, and lets plain bytes follow unless the piece ends its send', () => {
    const queue = new SendQueue()
    queue.pushPlain(memory, 0, 3, plainGroup)
    queue.push(bearing(1, [7, 8], 4))
    queue.pushPlain(memory, 100, 105, plainGroup)
    queue.push(bearing(2, [9], 6, { endsSend: true }))
    queue.pushPlain(memory, 200, 207, plainGroup)
    expect(laidOut(queue)).toEqual([
      { lengths: [3], fds: [] },
      { lengths: [4, 5], fds: [7, 8] },
      { lengths: [6], fds: [9] },
      { lengths: [7], fds: [] },
    ])
  })

  it('lays out no more than one system call takes: messages, pieces, or control memory', () => {
    const many = new SendQueue()
    for (let i = 0; i < 100; i++) many.push(bearing(i + 1, [7]))
    expect(laidOut(many)).toHaveLength(64)

    const scattered = new SendQueue()
    for (let i = 0; i < 300; i++) scattered.pushPlain(memory, 2 * i, 2 * i + 1, plainGroup)
    expect(laidOut(scattered).map(({ lengths }) => lengths.length)).toEqual([256])

    const full = new SendQueue()
    const set = Array.from({ length: 253 }, () => 7)
    for (let i = 0; i < 5; i++) full.push(bearing(i + 1, set))
    expect(laidOut(full)).toHaveLength(3)

    const all = new SendQueue() // the most of everything at once fits into the plan
    for (let i = 0; i < 64; i++) {
      all.push(
        bearing(
          i + 1,
          Array.from({ length: 12 }, () => 7),
        ),
      )
      for (let k = 0; k < 3; k++) all.pushPlain(memory, 10 * k, 10 * k + 1, plainGroup)
    }
    const rows = laidOut(all)
    expect(rows).toHaveLength(64)
    expect(rows.every(({ lengths, fds }) => lengths.length === 4 && fds.length === 12)).toBe(true)
  })

  it('gathers no more bytes in a message than it is told, and cuts no piece for it', () => {
    const queue = new SendQueue()
    queue.limitSends(100)
    for (const [start, end] of [
      [0, 60],
      [60, 100],
      [100, 140],
      [140, 200],
      [200, 201],
    ] as const) {
      queue.pushPlain(memory, start, end, plainGroup)
    }
    queue.push(bearing(1, [7], 90))
    queue.pushPlain(new Uint8Array(10), 0, 10, plainGroup)
    queue.pushPlain(new Uint8Array(1), 0, 1, plainGroup)
    expect(laidOut(queue)).toEqual([
      { lengths: [100], fds: [] },
      { lengths: [100], fds: [] },
      { lengths: [1], fds: [] },
      { lengths: [90, 10], fds: [7] },
      { lengths: [1], fds: [] },
    ])
  })

  it('never sends a set again with the rest of a piece of which one byte went', () => {
    const queue = new SendQueue()
    queue.push(bearing(1, [7], 10))
    queue.push(bearing(2, [8], 10))
    expect(queue.headIsFresh).toBe(true)
    queue.advance(1)
    expect(queue.headIsFresh).toBe(false)
    expect(laidOut(queue)).toEqual([
      { lengths: [9], fds: [] },
      { lengths: [10], fds: [8] },
    ])
    queue.advance(9)
    expect(queue.headIsFresh).toBe(true)
    queue.advance(10)
    expect(queue.empty).toBe(true)
    expect(queue.settled).toBe(queue.queued)
  })

  it('drops a group whole, and nothing of its neighbours', () => {
    const queue = new SendQueue()
    queue.push(bearing(1, [7], 4))
    queue.pushPlain(memory, 4, 9, 1)
    queue.pushPlain(memory, 9, 12, plainGroup)
    queue.push(bearing(2, [8], 2))
    expect(queue.dropHead()).toBe(1)
    expect(laidOut(queue)).toEqual([
      { lengths: [3], fds: [] },
      { lengths: [2], fds: [8] },
    ])
    expect(queue.settled).toBe(9)
  })

  it('takes back what was queued last as if it had never been', () => {
    const queue = new SendQueue()
    queue.pushPlain(memory, 0, 5, plainGroup)
    queue.push(bearing(1, [7], 4))
    queue.takeBack(1)
    expect(queue.queued).toBe(5)
    expect(laidOut(queue)).toEqual([{ lengths: [5], fds: [] }])
  })

  it('duplicates borrowed descriptors, all of a set or none', () => {
    const fd = binding.memfd('set', 1, 0)
    const before = binding.ledgerCount()
    const queue = new SendQueue()
    queue.push(bearing(1, [fd, fd]))
    expect(queue.own(1)).toBe(0)
    expect(binding.ledgerCount()).toBe(before + 2)
    expect(queue.own(1)).toBe(0) // again: nothing is borrowed any more
    expect(binding.ledgerCount()).toBe(before + 2)
    queue.push(bearing(2, [fd, 99_999]))
    expect(queue.own(2)).toBeLessThan(0)
    expect(binding.ledgerCount()).toBe(before + 2)
    queue.clear()
    expect(binding.ledgerCount()).toBe(before)
    expect(existsSync(`/proc/self/fd/${fd}`)).toBe(true)
    binding.closeFd(fd)
  })

  it('keeps its order and its counts over many pieces', () => {
    const queue = new SendQueue()
    for (let i = 0; i < 5000; i++) queue.push(bearing(i + 1, [i], 2))
    for (let i = 0; i < 5000; i++) {
      if (i % 1000 === 0) expect(laidOut(queue)[0]).toEqual({ lengths: [2], fds: [i] })
      queue.advance(2)
    }
    expect(queue.empty).toBe(true)
    expect(queue.settled).toBe(10_000)
  })
})

describe('the send slab', () => {
  it('is used from its start again once nothing waits in it, and is left to those who do when it is full', () => {
    const first = reserveInSlab(slabBytes)
    const at = sendSlabCursor()
    commitToSlab(at + 1000)
    releaseFromSlab(first, 400)
    expect(sendSlabCursor()).toBe(at + 1000)
    releaseFromSlab(first, 600)
    expect(sendSlabCursor()).toBe(0)
    commitToSlab(slabBytes - 10)
    const second = reserveInSlab(11)
    expect(second).not.toBe(first)
    commitToSlab(11)
    releaseFromSlab(first, slabBytes - 10) // of the one that was left: no matter here
    expect(sendSlabCursor()).toBe(11)
    releaseFromSlab(second, 11)
  })

  it('comes back when those who waited in it are gone, and not while one still waits', () => {
    const first = reserveInSlab(slabBytes)
    commitToSlab(slabBytes)
    const second = reserveInSlab(slabBytes)
    commitToSlab(slabBytes)
    releaseFromSlab(first, slabBytes - 1)
    const third = reserveInSlab(slabBytes)
    expect([first, second]).not.toContain(third)
    commitToSlab(slabBytes)
    releaseFromSlab(first, 1)
    expect(reserveInSlab(1)).toBe(first)
    for (const full of [second, third]) releaseFromSlab(full, slabBytes)
  })
})

describe('an open run', () => {
  /** Opens one of 1,000 bytes and writes so many. */
  function write(queue: SendQueue, bytes: number): void {
    beginRun(queue, 1000)
    openRun.at += bytes
  }

  afterEach(() => closeRun())

  it.each<[string, (queue: SendQueue) => unknown]>([
    ['how much is queued', (queue) => queue.queued],
    ['whether any is', (queue) => queue.empty],
    ['for what goes behind it', (queue) => queue.pushPlain(memory, 0, 1, plainGroup)],
    ['for what bears descriptors behind it', (queue) => queue.push(bearing(1, [3]))],
    ['to take back what was queued last', (queue) => queue.takeBack(1)],
  ])('is closed when its queue is asked %s', (_what, ask) => {
    const queue = new SendQueue()
    write(queue, 10)
    ask(queue)
    expect(openRun.queue).toBeUndefined()
    expect(laidOut(queue)[0]?.lengths[0]).toBe(10)
    queue.clear()
  })

  it('is closed when anybody else wants the slab, and lies ahead of what comes then', () => {
    const queue = new SendQueue()
    const start = sendSlabCursor()
    write(queue, 10)
    reserveInSlab(100)
    expect(openRun.queue).toBeUndefined()
    expect(sendSlabCursor()).toBe(start + 10)
    const other = new SendQueue()
    write(queue, 5)
    write(other, 7)
    expect([queue.queued, other.queued]).toEqual([15, 7])
    queue.clear()
    other.clear()
  })

  it('is dropped with its queue, and takes no room then', () => {
    const queue = new SendQueue()
    const start = sendSlabCursor()
    write(queue, 10)
    queue.clear()
    expect([queue.queued, queue.settled, queue.empty]).toEqual([10, 10, true])
    expect(sendSlabCursor()).toBe(start)
  })

  it('is as long as the slab has room', () => {
    const queue = new SendQueue()
    const memory = reserveInSlab(slabBytes)
    const start = sendSlabCursor()
    commitToSlab(slabBytes - 10)
    beginRun(queue, 1000)
    expect([openRun.at, openRun.end]).toEqual([slabBytes - 10, slabBytes])
    closeRun()
    releaseFromSlab(memory, slabBytes - 10 - start)
  })

  it('is not closed by queues and slabs that have no part in it', () => {
    const queue = new SendQueue()
    write(queue, 10)
    const other = new SendQueue()
    other.pushPlain(memory, 0, 5, plainGroup)
    expect([other.queued, other.empty]).toEqual([5, false])
    expect(openRun.queue).toBe(queue)
    queue.clear()
  })
})

describe('turns', () => {
  const nextTick = () => new Promise<void>((resolve) => process.nextTick(resolve))

  it('flush at the end of the wake-up that is handed over, also when it throws', () => {
    const flushed: string[] = []
    handOver(() => {
      expect(isHandingOver()).toBe(true)
      flushSoon({ flush: () => void flushed.push('a') })
      expect(flushed).toEqual([])
    })
    expect(flushed).toEqual(['a'])
    const failing = (): void => {
      flushSoon({ flush: () => void flushed.push('b') })
      throw new Error('the consumer’s')
    }
    expect(() => handOver(failing)).toThrow('the consumer’s')
    expect(flushed).toEqual(['a', 'b'])
    expect(isHandingOver()).toBe(false)
  })

  it('flush at the end of the tick otherwise, and begin a new turn', async () => {
    const turn = currentTurn()
    let flushes = 0
    flushSoon({ flush: () => void flushes++ })
    expect(flushes).toBe(0)
    await nextTick()
    expect(flushes).toBe(1)
    expect(currentTurn()).not.toBe(turn)
  })

  it('a flush that throws keeps nobody else from theirs', async () => {
    const flushed: string[] = []
    const failing = (): void => {
      flushSoon({
        flush: () => {
          throw new Error('a listener’s')
        },
      })
      flushSoon({ flush: () => void flushed.push('next') })
    }
    expect(() => handOver(failing)).toThrow('a listener’s')
    await nextTick()
    await nextTick()
    expect(flushed).toEqual(['next'])
  })
})

describe('Backoff', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('asks again later each time, up to a bound, and knows how long it has been asking', () => {
    const backoff = new Backoff()
    expect(backoff.waited).toBe(0)
    const delays: number[] = []
    const ask = (): void => void delays.push(backoff.again(ask))
    ask()
    vi.advanceTimersByTime(500)
    expect(delays).toEqual([1, 2, 4, 8, 16, 32, 64, 100, 100, 100, 100])
    expect(backoff.pending).toBe(true)
    expect(backoff.waited).toBe(500)
    backoff.reset()
    expect(backoff.pending).toBe(false)
    expect(backoff.waited).toBe(0)
    vi.advanceTimersByTime(500)
    expect(delays).toHaveLength(11)
    expect(backoff.again(() => {})).toBe(1)
    backoff.reset()
  })
})
