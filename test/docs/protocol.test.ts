/**
 * The examples of docs/protocol.md are what they say: frames become these sends, and sends, read in every way, and
 * reads, as they stand there, become these frames or this error.
 */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { FrameEncoder, frameLimits, type OutgoingPiece, pillion } from '../../src/framing/index.js'
import { FramingReceiver, gather, readInEveryWay } from '../../src/framing/testing/index.js'
import { type ExampleFrame, parseExamples } from './examples.js'

const page = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8')
const examples = parseExamples(page)
const codec = pillion()
const limits = frameLimits({ maxDescriptors: 1024 })

const ofSends = examples
  .filter(({ steps }) => steps.some(({ kind }) => kind === 'send'))
  .map(({ line, steps }) => ({
    line,
    frames: steps.filter((step) => step.kind === 'frame'),
    sends: steps.filter((step) => step.kind === 'send'),
    code: steps.find((step) => step.kind === 'error')?.code,
  }))
const ofReads = examples.filter(({ steps }) => steps.some(({ kind }) => kind === 'read'))

it('shows examples of each kind', () => {
  expect(ofSends.length).toBeGreaterThanOrEqual(15)
  expect(ofReads.length).toBeGreaterThanOrEqual(4)
  expect(ofSends.length + ofReads.length).toBe(examples.length)
})

it.each(ofSends.filter(({ code }) => code === undefined))(
  'makes the sends of line $line of their frames',
  ({ frames, sends }) => {
    expect(sendsOf(frames)).toEqual(sends.map(({ bytes, fds }) => ({ bytes: [...bytes], fds })))
  },
)

it.each(ofSends)('makes the frames of line $line of their sends, however they are read', (example) => {
  for (const { way, frames, error } of readInEveryWay(example.sends, { codec, limits })) {
    expect(frames.map(shown), way).toEqual(example.frames.map(shown))
    expect(error?.code, way).toBe(example.code)
  }
})

it.each(ofReads)('brings each frame of line $line out behind the read where it stands', ({ steps }) => {
  const receiver = new FramingReceiver(codec, limits, 32 * 1024)
  for (const step of steps) {
    if (step.kind === 'read') {
      expect(receiver.frames, 'frames that the example does not show').toEqual([])
      const set = step.fds.length > 0 || step.truncated ? { fds: step.fds, truncated: step.truncated } : undefined
      receiver.take([{ bytes: step.bytes, set }], true)
    } else if (step.kind === 'frame') {
      const received = receiver.frames.shift()
      expect(received && shown(received)).toEqual(shown(step))
    }
  }
  expect(receiver.frames).toEqual([])
  expect(receiver.finish()).toBeUndefined()
})

function shown({ payload, fds, lost, flags }: Omit<ExampleFrame, 'kind'>): unknown {
  return { payload: [...payload], fds, lost, flags }
}

function sendsOf(frames: readonly ExampleFrame[]): unknown[] {
  const encoder = new FrameEncoder(codec, limits)
  const pieces: OutgoingPiece[] = []
  for (const { payload, fds, flags } of frames) {
    encoder.check(payload, fds.length)
    const memory = new Uint8Array(encoder.copiedLength(payload, Number.POSITIVE_INFINITY))
    encoder.write(memory, 0, payload, { fds, flags, copyBelow: Number.POSITIVE_INFINITY }, pieces)
  }
  return gather(pieces).map(({ bytes, fds }) => ({ bytes: [...bytes], fds }))
}
