import { describe, expect, it } from 'vitest'
import { type ReceivedMessage, SimulatedStream } from '../../src/framing/testing/index.js'

function bytes(text: string): Uint8Array {
  return Buffer.from(text)
}

/** Everything there is, as 'bytes' or 'bytes+descriptors'. */
function readAll(stream: SimulatedStream, size = 1000): string[] {
  const seen: string[] = []
  for (let message = stream.receive(size); message !== 'EAGAIN'; message = stream.receive(size))
    seen.push(show(message))
  return seen
}

function show({ bytes, set }: ReceivedMessage): string {
  return Buffer.from(bytes).toString() + (set === undefined ? '' : `+${set.fds.join()}${set.truncated ? '!' : ''}`)
}

describe('a simulated stream', () => {
  it('stops a receive right behind the first skb that carries a set, and merges what lies before it (fact 1)', () => {
    const stream = new SimulatedStream()
    stream.send(bytes('A'))
    stream.send(bytes('B'), [7])
    stream.send(bytes('C'))

    expect(readAll(stream)).toEqual(['AB+7', 'C'])
  })

  it('gives a set with the first byte of its skb, and reads on from the rest into the next set (fact 2)', () => {
    const stream = new SimulatedStream()
    stream.send(bytes('abc'), [7])
    stream.send(bytes('defg'), [8])

    expect(readAll(stream, 2)).toEqual(['ab+7', 'cd+8', 'ef', 'g'])
  })

  it('lets a set end its receive within the send that carried it, at every read size (fact 3)', () => {
    for (let size = 1; size < 12; size++) {
      const stream = new SimulatedStream()
      for (const token of [1, 2, 3]) stream.send(bytes('-'.repeat(4)), [token])
      const ends: number[] = []
      let position = 0
      for (let message = stream.receive(size); message !== 'EAGAIN'; message = stream.receive(size)) {
        position += message.bytes.length
        if (message.set !== undefined) ends.push(Math.floor((position - 1) / 4) + 1)
      }

      expect(ends).toEqual([1, 2, 3])
    }
  })

  it('reads short though more is queued, and an edge does not come twice for it (fact 5)', () => {
    const stream = new SimulatedStream()
    stream.send(bytes('A'), [7])
    stream.send(bytes('B'))

    expect(stream.takeEdge()).toBe(true)
    expect(show(stream.receive(1000) as ReceivedMessage)).toBe('A+7')
    expect(stream.takeEdge()).toBe(false)
    expect(stream.readable).toBe(true)
  })

  it('takes 253 descriptors in a send and refuses 254 (fact 6)', () => {
    const stream = new SimulatedStream()

    expect(
      stream.send(
        bytes('A'),
        Array.from({ length: 254 }, (_, i) => i),
      ),
    ).toBe('EINVAL')
    expect(
      stream.send(
        bytes('A'),
        Array.from({ length: 253 }, (_, i) => i),
      ),
    ).toBe(1)
  })

  it('installs a prefix and marks it when the control buffer is short; all bytes arrive (fact 7)', () => {
    const stream = new SimulatedStream()
    stream.send(bytes('ABC'), [7, 8, 9])

    expect(show(stream.receive(1000, { room: 2 }) as ReceivedMessage)).toBe('ABC+7,8!')
    expect(stream.installed).toEqual([7, 8])
    expect(stream.closed).toEqual([9])
  })

  it('does the same when the descriptor table is full, and the next set comes whole again (fact 9)', () => {
    const stream = new SimulatedStream()
    stream.send(bytes('A'), [7, 8])
    stream.send(bytes('B'), [9])

    expect(show(stream.receive(1000, { free: 0 }) as ReceivedMessage)).toBe('A+!')
    expect(show(stream.receive(1000) as ReceivedMessage)).toBe('B+9')
  })

  it('drops the descriptors of a send without bytes and says nothing (fact 11)', () => {
    const stream = new SimulatedStream()

    expect(stream.send(bytes(''), [7])).toBe(0)
    expect(stream.readable).toBe(false)
    expect(stream.closed).toEqual([7])
  })

  it('cuts a send into skbs with the set on the first, which a partial send has handed over whole (fact 12)', () => {
    const stream = new SimulatedStream({ skbBytes: 2, sendBuffer: 5, skbOverhead: 1 })

    expect(stream.send(bytes('abcdef'), [7, 8])).toBe(4)
    expect(stream.send(bytes('ef'))).toBe('EAGAIN')
    expect(readAll(stream)).toEqual(['ab+7,8', 'cd'])
    expect(stream.writable).toBe(true)
  })

  it('has room for 278 sends of a byte (fact 13)', () => {
    const stream = new SimulatedStream()
    let sends = 0
    while (stream.send(bytes('A')) === 1) sends++

    expect(sends).toBe(278)
  })

  it('tells the end of the stream behind all that was sent', () => {
    const stream = new SimulatedStream()
    stream.send(bytes('A'))
    stream.end()

    expect(show(stream.receive(1000) as ReceivedMessage)).toBe('A')
    expect(stream.receive(1000)).toEqual({ bytes: new Uint8Array(0), set: undefined })
  })

  it('hangs a reader that takes a short read for an empty queue, under edge-triggered readiness', () => {
    const stream = new SimulatedStream()
    stream.send(bytes('A'), [7])
    stream.send(bytes('B'))
    const seen: string[] = []
    while (stream.takeEdge()) {
      let message: ReceivedMessage | 'EAGAIN'
      do {
        message = stream.receive(100)
        if (message !== 'EAGAIN') seen.push(show(message))
      } while (message !== 'EAGAIN' && message.bytes.length === 100) // the trap
    }

    expect(seen).toEqual(['A+7'])
    expect(stream.readable).toBe(true)
  })
})
