/** Memory that JavaScript hands to native code, and takes away again at the worst moment. */
import { describe, expect, it } from 'vitest'
import { UsageError } from '../../src/errors.js'
import { binding } from '../../src/transport/native.js'
import { keepReceived, receiveSlab } from '../../src/transport/receive-slab.js'
import { openEdgeSet, readinesses, sendPlain, turns, until, watchedPair } from './native-sockets.js'

openEdgeSet()

/** Takes the memory away, as `postMessage` with a transfer list does; also what is marked against that. */
function detach(memory: Uint8Array): void {
  const buffer = memory.buffer as ArrayBuffer & { transfer?: () => ArrayBuffer }
  if (buffer.transfer === undefined) structuredClone(buffer, { transfer: [buffer] })
  else buffer.transfer()
}

interface ResizableBuffer extends ArrayBuffer {
  resize(length: number): void
}

/** Of ES2024, which Node has and our TypeScript target does not. */
function resizableBuffer(length: number, maxByteLength: number): ResizableBuffer {
  const Buffers = ArrayBuffer as unknown as new (length: number, options: { maxByteLength: number }) => ResizableBuffer
  return new Buffers(length, { maxByteLength })
}

/** A stand-in for the slab that can be taken away on every Node. */
function useDetachableSlab(): Uint8Array {
  const slab = new Uint8Array(256 * 1024)
  binding.control[0] = 0
  binding.setSlab(slab)
  return slab
}

function restoreSlab(): void {
  binding.control[0] = 0
  binding.setSlab(receiveSlab())
}

describe('the slab', () => {
  it('cannot be taken away from other frames by posting one of them', () => {
    keepReceived(0) // as frames that stay do
    const { buffer } = receiveSlab()
    try {
      structuredClone(buffer, { transfer: [buffer as ArrayBuffer] })
    } catch (error) {
      expect(error).toMatchObject({ name: 'DataCloneError' }) // Node 21 and later say so; Node 20 copies
    }
    expect(receiveSlab().length).toBeGreaterThan(0)
  })

  it('is replaced when it was taken away between wake-ups', async () => {
    const [mine, theirs] = watchedPair()
    const slab = useDetachableSlab()
    detach(slab)
    sendPlain(theirs.socket, 'hello')
    mine.socket.resume()
    await until(() => mine.seen.bytes === 5, 'the bytes')
    expect(mine.seen.text).toBe('hello')
  })

  it('that takes unconsumed bytes with it ends receiving, rather than misread what follows', async () => {
    const slab = useDetachableSlab()
    let first = true
    try {
      const [mine, theirs] = watchedPair(
        {},
        {
          onReceived: ({ start, end }) => (first ? 0 : end - start),
          onDeliver: () => {
            if (first) detach(slab)
            first = false
            const spent = performance.now() + 5 // the budget of a wake-up: nothing that the kernel has tells of it again
            while (performance.now() < spent);
          },
        },
      )
      mine.socket.resume()
      sendPlain(theirs.socket, 'half a fra')
      await until(() => mine.seen.receiveError !== undefined, 'the error')
      sendPlain(theirs.socket, 'me')
      await turns()
      expect(mine.seen.receiveError).toBeInstanceOf(UsageError)
    } finally {
      restoreSlab()
    }
  })
})

describe.each(readinesses)('lent memory, by %s readiness', (readiness) => {
  it('gets the bytes first, and the slab those that do not fit', async () => {
    const lent = new Uint8Array(4)
    const [mine, theirs] = watchedPair({ readiness })
    mine.socket.lend(lent)
    sendPlain(theirs.socket, 'abcdef')
    mine.socket.resume()
    await until(() => mine.seen.bytes === 6, 'the bytes')
    expect(Buffer.from(lent).toString()).toBe('abcd')
    expect(mine.seen.text).toBe('ef')
  })

  it('that was taken away when it was full gets nothing more', async () => {
    const lent = new Uint8Array(4)
    const [mine, theirs] = watchedPair({ readiness })
    mine.socket.lend(lent)
    sendPlain(theirs.socket, 'abcd')
    mine.socket.resume()
    await until(() => mine.seen.bytes === 4, 'the first bytes')
    detach(lent)
    sendPlain(theirs.socket, 'efgh')
    await until(() => mine.seen.bytes === 8, 'the others')
    expect(mine.seen.text).toBe('efgh') // in the slab, where they are, and not counted as lent
  })

  it('is filled over many wake-ups without a byte out of place', async () => {
    const sent = new Uint8Array(new Uint32Array(2 << 20).map((_, i) => Math.imul(i, 0x9e3779b1)).buffer)
    const lent = new Uint8Array(sent.length - 100)
    const [mine, theirs] = watchedPair({ readiness })
    mine.socket.lend(lent)
    mine.socket.resume()
    sendPlain(theirs.socket, sent)
    await until(() => mine.seen.bytes === sent.length, 'all of it')
    expect(mine.seen.wakeUps).toBeGreaterThan(8)
    expect(Buffer.compare(lent, sent.subarray(0, lent.length))).toBe(0)
    expect(mine.seen.text).toBe(Buffer.from(sent.subarray(lent.length)).toString('latin1'))
  })
})

it('no memory for what was received ends that connection, not the process', async () => {
  const [mine, theirs] = watchedPair(
    {},
    {
      onReceived: () => new Uint8Array(Number.MAX_SAFE_INTEGER).length,
    },
  )
  mine.socket.resume()
  sendPlain(theirs.socket, 'x')
  await until(() => mine.seen.receiveError !== undefined, 'the error')
  expect(mine.seen.receiveError).toMatchObject({ code: 'ENOMEM' })
})

describe('a payload', () => {
  it('may lie in shared memory, in memory that can be resized, or in a view into the middle of something', async () => {
    const shared = new Uint8Array(new SharedArrayBuffer(4)).fill(0x61)
    const resizable = new Uint8Array(resizableBuffer(4, 64)).fill(0x62)
    const view = new Uint8Array(16).fill(0x63).subarray(5, 9)
    const [mine, theirs] = watchedPair()
    for (const memory of [shared, resizable, view]) theirs.socket.queue.pushPlain(memory, 0, 4, 0)
    theirs.socket.flush()
    mine.socket.resume()
    await until(() => mine.seen.bytes === 12, 'the bytes')
    expect(mine.seen.text).toBe('aaaabbbbcccc')
  })

  it.each(['transferred', 'shrunk'] as const)('that was %s while it waited fails the sending, and no more', (how) => {
    const [, theirs] = watchedPair()
    const buffer = resizableBuffer(8 << 20, 8 << 20)
    const memory = new Uint8Array(buffer)
    theirs.socket.queue.pushPlain(memory, 0, 8 << 20, 0)
    if (how === 'transferred') structuredClone(buffer, { transfer: [buffer] })
    else buffer.resize(16)
    theirs.socket.flush()
    expect(theirs.seen.sendError).toBeInstanceOf(UsageError)
    expect(theirs.socket.queue.empty).toBe(true)
    expect(theirs.socket.closed).toBe(false)
  })
})
