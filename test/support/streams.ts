/**
 * Frame streams for tests: pairs that end with their test, payloads and descriptors that can be told apart.
 *
 * Nothing here waits by the clock: what is waited for is a condition, looked at once a turn of the loop.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readSync } from 'node:fs'
import { onTestFinished } from 'vitest'
import { adopt, Descriptor, type Frame, FrameStream, pair, type StreamOptions } from '../../src/stream/index.js'
import { adoptOwned } from '../../src/transport/descriptor.js'
import { pairUnix } from '../../src/transport/index.js'

export const readinesses = ['level', 'edge'] as const

// A thread's set of edge-triggered descriptors stays open for good. It opens here, before any test could be blamed.
for (const end of pair({ readiness: 'edge' })) end.on('frame', () => {}).destroy()

/** Both ends, destroyed when the test has finished. */
export function streamPair(options: StreamOptions = {}): [FrameStream, FrameStream] {
  const ends = pair(options)
  for (const end of ends) destroyedAfterTest(end)
  return ends
}

export function destroyedAfterTest<T extends FrameStream>(stream: T): T {
  onTestFinished(() => stream.destroy())
  return stream
}

/** A stream to a Python process that does as `script` says with `s`, its end. It must end when the stream does. */
export function pythonPeer(script: string, options: StreamOptions = {}): FrameStream {
  const [ours, theirs] = pairUnix(options.type).map(adoptOwned) as [Descriptor, Descriptor]
  const prologue = 'import array, os, socket\ns = socket.socket(fileno=3)\ns.setblocking(True)\n'
  const child = spawn('python3', ['-c', prologue + script], { stdio: ['ignore', 'inherit', 'inherit', theirs.fd] })
  theirs.close()
  const exited = once(child, 'exit')
  const stream = adopt(ours, options)
  onTestFinished(async () => {
    stream.destroy()
    await exited
  })
  return stream
}

/** The next `count` frames by a stream's iterator, which is left as it is. */
export async function take(frames: AsyncIterator<Frame> | FrameStream, count: number): Promise<Frame[]> {
  const iterator = frames instanceof FrameStream ? frames[Symbol.asyncIterator]() : frames
  const taken: Frame[] = []
  while (taken.length < count) {
    const next = await iterator.next()
    if (next.done === true) throw new Error(`the stream ended after ${taken.length} of ${count} frames`)
    taken.push(next.value)
  }
  return taken
}

/** All frames up to the end of the stream. */
export async function takeAll(stream: FrameStream): Promise<Frame[]> {
  const frames: Frame[] = []
  for await (const frame of stream) frames.push(frame)
  return frames
}

/** Bytes that differ from one seed to the next, and from one place to another. */
export function pattern(length: number, seed = 0): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(length)
  // Written by words: 16 MiB byte by byte would take longer than sending them.
  const words = new Uint32Array(bytes.buffer, 0, length >>> 2)
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(i + 1, 0x9e3779b1) ^ seed
  for (let i = length & ~3; i < length; i++) bytes[i] = i ^ seed
  return bytes
}

/** Whether two payloads are equal; `toEqual` looks at each element, which takes seconds for megabytes. */
export function same(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0
}

export function text(payload: Uint8Array): string {
  return Buffer.from(payload).toString()
}

/** A descriptor that says which one it is. */
export function named(name: string | number): Descriptor {
  return Descriptor.memfd(Buffer.from(String(name)))
}

/** What `named` was given. */
export function nameOf(descriptor: Descriptor | number): string {
  const into = Buffer.alloc(64)
  const fd = typeof descriptor === 'number' ? descriptor : descriptor.fd
  return into.toString('utf8', 0, readSync(fd, into, 0, into.length, 0))
}

/** The names of a frame's descriptors, which are closed. */
export function namesOf(frame: Frame): string[] {
  const names = frame.descriptors.map(nameOf)
  frame[Symbol.dispose]()
  return names
}

/** Until it holds, looked at once a turn of the loop. */
export async function until(holds: () => boolean, what = 'it', seconds = 8): Promise<void> {
  const deadline = performance.now() + seconds * 1000
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`${what} did not come to hold within ${seconds} s`)
    await new Promise(setImmediate)
  }
}

/** So many turns of the loop: whatever is ready has been dealt with. */
export async function turns(count = 5): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(setImmediate)
}

/** Fills `stream`'s queue and the kernel's behind it until `send` says that it is enough; how many frames that took. */
export function fill(stream: FrameStream, payload: Uint8Array = pattern(16_000)): number {
  for (let sent = 1; ; sent++) if (!stream.send(payload)) return sent
}
