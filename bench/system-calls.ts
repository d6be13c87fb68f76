/**
 * Counts the system calls that frames take, as `stream.stats` does, and prints them as the table of docs/performance.md.
 *
 *     npx tsx bench/system-calls.ts
 *
 * No times: only what is the same on every run. All loads fit into the kernel's buffer, so that nothing depends on who
 * is faster. test/docs/performance.test.ts holds the page against what is counted.
 */
import { closeSync, openSync } from 'node:fs'
import { Descriptor, type FrameStream, pair, type StreamOptions } from '../src/stream/index.js'

interface Counted {
  readonly load: string
  readonly frames: number
  readonly descriptors: number
  readonly sendCalls: number
  readonly receiveCalls: number
}

interface Load {
  readonly name: string
  readonly options?: StreamOptions
  /** @param file a descriptor to send */
  readonly send: (stream: FrameStream, file: number) => void | Promise<void>
}

const small = new Uint8Array(32)

const loads: readonly Load[] = [
  { name: '1,000 frames of 32 bytes, one tick', send: (stream) => times(1000, () => stream.send(small)) },
  { name: '100 frames of 32 bytes, a turn of the loop each', send: (stream) => oneByOne(stream) },
  {
    name: "the same, readiness `'edge'`",
    options: { readiness: 'edge' },
    send: (stream) => oneByOne(stream),
  },
  {
    name: '100 frames with 1 descriptor, a turn of the loop each',
    send: (stream, file) => oneByOne(stream, [file]),
  },
  {
    name: '100 frames with 1 descriptor, one tick',
    send: (stream, file) => {
      using lent = Descriptor.dup(file)
      times(100, () => stream.send(small, [lent]))
    },
  },
  {
    name: 'the same, `transfer: true`',
    send: (stream, file) => times(100, () => stream.send(small, [Descriptor.dup(file)], { transfer: true })),
  },
  {
    name: 'the same, a number in place of a `Descriptor`',
    send: (stream, file) => times(100, () => stream.send(small, [file])),
  },
  {
    name: '10 times 1 frame with 1 descriptor (`transfer`) and 9 without, one tick',
    send: (stream, file) =>
      times(10, () => {
        stream.send(small, [Descriptor.dup(file)], { transfer: true })
        times(9, () => stream.send(small))
      }),
  },
  {
    name: '1 frame with 1,024 descriptors',
    options: { maxDescriptors: 1024 },
    send: (stream, file) => void stream.send(small, Array(1024).fill(file)),
  },
  { name: '1 frame of 64 KiB', send: (stream) => void stream.send(new Uint8Array(64 * 1024)) },
  {
    name: '1 frame of 8 MiB, `memfdFrom: 65536`',
    options: { memfdFrom: 65_536 },
    send: (stream) => void stream.send(new Uint8Array(8 * 1024 * 1024)),
  },
]

console.log(asTable(await countSystemCalls()))

async function countSystemCalls(): Promise<Counted[]> {
  const file = openSync('/dev/null', 'r')
  const counted: Counted[] = []
  for (const load of loads) counted.push(await count(load, file))
  closeSync(file)
  return counted
}

function asTable(counted: readonly Counted[]): string {
  const head = ['load', 'frames', 'descriptors', 'send calls', 'receive calls']
  const rows = counted.map(({ load, frames, descriptors, sendCalls, receiveCalls }) =>
    [load, frames, descriptors, sendCalls, receiveCalls].map((cell) => cell.toLocaleString('en')),
  )
  return [head, ['---', '---:', '---:', '---:', '---:'], ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

async function count({ name, options = {}, send }: Load, file: number): Promise<Counted> {
  const [sender, receiver] = pair(options)
  const ended = new Promise((settle) => receiver.once('end', () => settle(undefined)))
  receiver.onBatch(() => {})
  await send(sender, file)
  await sender.flush()
  const { sent } = sender.stats
  while (receiver.stats.received.frames < sent.frames) await turn()
  const { received } = receiver.stats
  await sender.end()
  await ended
  await receiver.end()
  return {
    load: name,
    frames: sent.frames,
    descriptors: sent.descriptors,
    sendCalls: sent.systemCalls,
    receiveCalls: received.systemCalls,
  }
}

/** Each frame is received before the next one is sent. */
async function oneByOne(stream: FrameStream, descriptors: readonly number[] = []): Promise<void> {
  for (let i = 0; i < 100; i++) {
    stream.send(small, descriptors)
    await stream.flush()
    await turn()
    await turn()
  }
}

function times(count: number, run: () => void): void {
  for (let i = 0; i < count; i++) run()
}

function turn(): Promise<void> {
  return new Promise((resume) => setImmediate(resume))
}
