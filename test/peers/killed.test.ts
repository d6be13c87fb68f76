/**
 * A peer that is killed in the middle of everything: both directions full of frames and descriptors, half of them under
 * way. What it had sent whole arrives, the stream ends with an error that says what happened, and nothing stays open.
 */
import { statSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import { Dice } from '../../src/framing/testing/index.js'
import { type FrameStream, ProtocolError, type StreamOptions, SystemError } from '../../src/stream/index.js'
import { seenFrame } from '../support/collect.js'
import { needs } from '../support/needs.js'
import { readinesses } from '../support/streams.js'
import { closeAll, makeTokens } from '../support/tokens.js'
import { startPeer } from './python-peer.js'

const rounds = 15
const open = () => statSync('/proc/self/fd').size

beforeEach((context) => needs(context, { command: 'python3' }))

/** What peer.py's busy peer sends as its frame `number`. */
function busyFrame(number: number) {
  const count = number % 37 === 36 ? 300 : number % 5
  const tokens = Array.from({ length: count }, (_, k) => (number + k) % 16)
  return { payload: `${number} ${'x'.repeat((number * 7919) % 20_000)}`, tokens, lost: 0 }
}

/** Keeps the direction to the peer full, as long as it lasts. */
async function sendWithoutEnd(stream: FrameStream): Promise<Error> {
  const tokens = makeTokens([1, 2, 3])
  const payload = Buffer.alloc(9000)
  try {
    for (let i = 0; ; i++) {
      if (!stream.send(payload, tokens.slice(0, i % 4))) await stream.drained()
      if (i % 16 === 0) await nextTurn()
    }
  } catch (error) {
    return error as Error
  } finally {
    closeAll(tokens)
  }
}

/** One life of a peer; how many of its frames came, and how the stream ended. */
async function live(dice: Dice, options: StreamOptions) {
  const peer = startPeer([['busy']], { ...options, maxDescriptors: 300 })
  const { stream } = peer
  const pid = (await peer.answer()) as number
  const sending = sendWithoutEnd(stream)
  // Some die before they are heard, some after a while; some in the same turn as a frame, some between.
  const killAt = dice.roll(90)
  const turns = dice.roll(4)
  let frames = 0
  const kill = async () => {
    for (let turn = 0; turn < turns; turn++) await nextTurn()
    process.kill(pid, 'SIGKILL')
  }
  if (killAt === 0) await kill()
  let error: Error | undefined
  try {
    for await (const frame of stream) {
      expect(seenFrame(frame)).toEqual(busyFrame(frames))
      frames++
      if (frames === killAt) void kill()
    }
  } catch (failure) {
    error = failure as Error
  }
  if (frames < killAt) throw error ?? new Error(`the peer ended by itself after ${frames} frames`)
  const sendError = await sending
  stream.destroy()
  return { frames, error, sendError }
}

describe.each(readinesses)('with %s readiness', (readiness) => {
  it.each([1, 2])('all that a peer sent whole before SIGKILL arrives, then a typed end (seed %i)', async (seed) => {
    const dice = new Dice(seed)
    const before = open()
    let received = 0
    for (let round = 0; round < rounds; round++) {
      const { frames, error, sendError } = await live(dice, { readiness })
      received += frames

      if (error instanceof ProtocolError) expect(error.message).toContain('the stream ended in a frame')
      else if (error !== undefined) expect(error).toMatchObject({ name: 'SystemError', code: 'ECONNRESET' })
      const cause = sendError.cause ?? sendError
      if (cause instanceof SystemError) expect(['EPIPE', 'ECONNRESET']).toContain(cause.code)
      else expect(cause).toBe(error)
    }
    expect(received).toBeGreaterThan(rounds)
    // Each round's way of talking to the peer closes with the test; the streams and all that came over them are closed.
    expect(open() - before).toBeLessThanOrEqual(rounds)
  })
})
