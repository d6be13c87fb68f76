/**
 * The edge-triggered trap (docs/kernel.md fact 5): a short read does not mean that the queue is empty.
 *
 * First the reader that trusts short reads, in facts.py: it hangs, with bytes or the end of the stream waiting and no
 * event to come. Then pillion in the same places, where it gets everything.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FrameStream } from '../../src/stream/index.js'
import { streamSettings } from '../../src/stream/options.js'
import { pairUnix } from '../../src/transport/index.js'
import { binding } from '../../src/transport/native.js'
import { collect, type SeenFrame } from '../support/collect.js'
import { needs } from '../support/needs.js'
import { readinesses, streamPair } from '../support/streams.js'
import { closeAll, makeTokens } from '../support/tokens.js'

const facts = join(import.meta.dirname, 'facts.py')

describe('a reader that takes a short read for an empty queue', () => {
  it('hangs before descriptors, before another sender’s bytes and before the end of the stream', (context) => {
    needs(context, { command: 'python3' })
    const { trapped } = JSON.parse(execFileSync('python3', [facts, 'trapped'], { encoding: 'utf8' }))

    const second = { bytes: 'second', fds: 0, truncated: false }
    const end = { bytes: '', fds: 0, truncated: false }
    expect(trapped).toEqual({
      descriptors: { got: 'first', waiting: 6, behind: second },
      credentials: { got: 'first', waiting: 6, behind: second },
      end: { got: 'first', waiting: 0, behind: end },
    })
  })
})

describe.each(readinesses)('pillion with %s readiness', (readiness) => {
  it('gets every frame and the end, though every read before the last is short', async () => {
    const [left, right] = streamPair({ readiness })
    const expected: SeenFrame[] = []
    // All of it is queued before the first read, so that one event tells of all.
    for (let i = 0; i < 60; i++) {
      const tokens = makeTokens(i % 3 === 0 ? [] : [i, i + 1000])
      expect(left.send(Buffer.from(`frame ${i}`), tokens)).toBe(true)
      expected.push({ payload: `frame ${i}`, tokens: i % 3 === 0 ? [] : [i, i + 1000], lost: 0 })
      closeAll(tokens)
    }
    await left.end()

    expect(await collect(right)).toEqual({ frames: expected, error: undefined })
  })

  it('gets what arrives while it handles what came before', async () => {
    const [left, right] = streamPair({ readiness })
    const seen: string[] = []
    right.on('frame', (frame) => {
      const text = Buffer.from(frame.payload).toString()
      seen.push(text)
      frame[Symbol.dispose]()
      // From within the wake-up: the queue is never seen empty before this has arrived.
      if (seen.length < 200) sendOne(left, `frame ${seen.length}`)
      else left.destroy()
    })
    sendOne(left, 'frame 0')
    await right.end()
    await right.closed

    expect(seen).toEqual(Array.from({ length: 200 }, (_, i) => `frame ${i}`))
  })

  it('gets the frames of several senders of one socket, whose credentials keep their bytes apart', async (context) => {
    needs(context, { command: 'python3' })
    const [ours, theirs] = pairUnix()
    const children = Array.from({ length: 4 }, (_, i) => {
      // SO_PASSCRED at our end, set through the shared socket: each process's bytes are then read on their own.
      const frame = Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 0, 0, 0xf1]), Buffer.from(String(i))])
      const script = `import os, socket
socket.socket(fileno=4).setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
os.write(3, bytes.fromhex("${frame.toString('hex')}"))`
      return spawn('python3', ['-c', script], { stdio: ['ignore', 'inherit', 'inherit', theirs, ours] })
    })
    await Promise.all(children.map((child) => once(child, 'exit')))
    binding.closeFd(theirs)
    const stream = FrameStream.over(ours, streamSettings({ readiness }))

    const { frames, error } = await collect(stream)
    const { systemCalls } = stream.stats.received
    stream.destroy()
    expect(systemCalls).toBeGreaterThan(children.length)
    expect(frames.map(({ payload }) => payload).sort()).toEqual(['0', '1', '2', '3'])
    expect(error).toBeUndefined()
  })
})

function sendOne(stream: FrameStream, text: string): void {
  const tokens = makeTokens([1])
  stream.send(Buffer.from(text), tokens)
  closeAll(tokens)
}
