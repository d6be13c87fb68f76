/**
 * Measures what streams by RPC cost: 64 KiB chunks from a process to this one, as bare frames, as a ReadableStream that
 * a method returns, and as a WritableStream that it is given; and what a kernel pipe does that is passed as a descriptor.
 *
 *     npx tsx bench/rpc-streams.ts [rounds] [MiB a round]
 *
 * The ways take turns, so that all see the same machine; printed are medians. The other process is this file too.
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { RpcSession, RpcTarget } from '../src/rpc/index.js'
import { adopt, Descriptor, type FrameStream } from '../src/stream/index.js'
import { adoptOwned } from '../src/transport/descriptor.js'
import { pairUnix } from '../src/transport/index.js'

const chunkBytes = 64 * 1024

/** What the other process does: the same in each way. */
class Source extends RpcTarget {
  stream(chunks: number): ReadableStream<Uint8Array> {
    return chunksOf(chunks)
  }

  async write(stream: WritableStream<Uint8Array>, chunks: number): Promise<void> {
    const chunk = new Uint8Array(chunkBytes)
    const writer = stream.getWriter()
    for (let i = 0; i < chunks; i++) await writer.write(chunk)
    await writer.close()
  }
}

function chunksOf(chunks: number): ReadableStream<Uint8Array> {
  let left = chunks
  const chunk = new Uint8Array(chunkBytes)
  return new ReadableStream({
    pull(controller) {
      if (left-- > 0) controller.enqueue(chunk)
      else controller.close()
    },
  })
}

/** Sends as many bare frames as each frame of the other side's asks for. */
async function serveFrames(stream: FrameStream): Promise<void> {
  const chunk = new Uint8Array(chunkBytes)
  for await (const frame of stream) {
    const chunks = Buffer.from(frame.payload).readUInt32LE()
    for (let i = 0; i < chunks; i++) if (!stream.send(chunk)) await stream.drained()
  }
  stream.destroy()
}

if (process.argv[2] === 'source') {
  new RpcSession(adopt(Descriptor.own(3)), new Source())
  await serveFrames(adopt(Descriptor.own(4)))
} else {
  await measure(Number(process.argv[2] ?? 7), Number(process.argv[3] ?? 256))
}

async function measure(rounds: number, mebibytes: number): Promise<void> {
  const [rpcEnd, rpcOther] = pairUnix().map(adoptOwned) as [Descriptor, Descriptor]
  const [rawEnd, rawOther] = pairUnix().map(adoptOwned) as [Descriptor, Descriptor]
  spawn(process.execPath, [...process.execArgv, fileURLToPath(import.meta.url), 'source'], {
    stdio: ['ignore', 'inherit', 'inherit', rpcOther.fd, rawOther.fd],
  })
  rpcOther.close()
  rawOther.close()
  const session = new RpcSession<Source>(adopt(rpcEnd))
  using source = session.getRemoteMain()
  const raw = adopt(rawEnd)
  const frames = raw[Symbol.asyncIterator]()
  const chunks = mebibytes * 16

  const ways: Readonly<Record<string, () => Promise<number>>> = {
    'bare frames': async () => {
      const count = Buffer.alloc(4)
      count.writeUInt32LE(chunks)
      raw.send(count)
      let bytes = 0
      for (let i = 0; i < chunks; i++) {
        const next = await frames.next()
        if (next.done === true) throw new Error('the other process has ended')
        bytes += next.value.payload.length
      }
      return bytes
    },
    'ReadableStream, returned': async () => {
      let bytes = 0
      for await (const chunk of await source.stream(chunks)) bytes += chunk.length
      return bytes
    },
    'WritableStream, given': async () => {
      let bytes = 0
      const sink = new WritableStream<Uint8Array>({
        write(chunk) {
          bytes += chunk.length
        },
      })
      await source.write(sink, chunks)
      return bytes
    },
  }
  const rates = new Map(Object.keys(ways).map((name) => [name, [] as number[]]))
  for (let round = -1; round < rounds; round++) {
    for (const [name, run] of Object.entries(ways)) {
      const start = performance.now()
      const bytes = await run()
      const seconds = (performance.now() - start) / 1000
      if (bytes !== chunks * chunkBytes) throw new Error(`${name}: ${bytes} bytes came`)
      if (round >= 0) rates.get(name)?.push(bytes / seconds / 1e6) // the first round warms up
    }
  }
  raw.destroy()
  await session.close()
  const baseline = median(rates.get('bare frames') as number[])
  console.log(`${rounds} rounds of ${mebibytes} MiB in chunks of 64 KiB`)
  for (const [name, rate] of rates) {
    const ratio = median(rate) / baseline
    console.log(`${name.padEnd(28)} ${median(rate).toFixed(0).padStart(6)} MB/s  ${ratio.toFixed(2)} of bare frames`)
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] as number
}
