/**
 * Measures what streams by RPC cost: 64 KiB chunks from a process to another one, as bare frames that it iterates, as a
 * ReadableStream that a method returns, and as a WritableStream that it is given.
 *
 *     npx tsx bench/rpc-streams.ts [rounds] [MiB a round]
 *
 * The ways take turns, so that all see the same machine; printed are medians, behind rounds that warm up. Both processes are
 * this file, bundled: what compiles TypeScript on the fly would be measured too.
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { connect, type FrameStream, listen } from 'pillion'
import { RpcSession, RpcTarget } from 'pillion/rpc'

const chunkBytes = 64 * 1024
const warmUps = 4

/** What the source does: the same in each way. */
class Source extends RpcTarget {
  stream(chunks: number): ReadableStream<Uint8Array> {
    const chunk = new Uint8Array(chunkBytes)
    let left = chunks
    return new ReadableStream({
      pull(controller) {
        if (left-- > 0) controller.enqueue(chunk)
        else controller.close()
      },
    })
  }

  async write(stream: WritableStream<Uint8Array>, chunks: number): Promise<void> {
    const chunk = new Uint8Array(chunkBytes)
    const writer = stream.getWriter()
    for (let i = 0; i < chunks; i++) await writer.write(chunk)
    await writer.close()
  }
}

const [role, ...args] = process.argv.slice(2)
if (role === 'source') await beSource(args[0] as string)
else if (role === 'reader') await beReader(Number(args[0]), Number(args[1]))
else await runBoth(role ?? '7', args[0] ?? '512')

async function runBoth(rounds: string, mebibytes: string): Promise<void> {
  const script = fileURLToPath(new URL('.build/rpc-streams.js', import.meta.url))
  await build({
    entryPoints: [fileURLToPath(import.meta.url)],
    outfile: script,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    tsconfigRaw: '{}', // without the project's `paths`: `pillion` is dist
    logLevel: 'error',
  })
  const reader = spawn(process.execPath, [script, 'reader', rounds, mebibytes], { stdio: 'inherit' })
  reader.once('close', (code) => {
    process.exitCode = code ?? 1
  })
}

async function beSource(path: string): Promise<void> {
  const session = new RpcSession(await connect(path), new Source())
  await sendFrames(await connect(path))
  await session.closed
}

/** Sends as many bare frames as each frame of the other side's asks for. */
async function sendFrames(stream: FrameStream): Promise<void> {
  const chunk = new Uint8Array(chunkBytes)
  for await (const frame of stream) {
    const chunks = Buffer.from(frame.payload).readUInt32LE()
    for (let i = 0; i < chunks; i++) if (!stream.send(chunk)) await stream.drained()
  }
  stream.destroy()
}

async function beReader(rounds: number, mebibytes: number): Promise<void> {
  const path = `@pillion-rpc-streams-${process.pid}`
  const server = await listen(path)
  const connections: FrameStream[] = []
  await new Promise<void>((resolve) => {
    server.on('connection', (stream) => {
      if (connections.push(stream) === 2) resolve()
    })
    spawn(process.execPath, [process.argv[1] as string, 'source', path], { stdio: 'inherit' })
  })
  await server.close()
  const [called, raw] = connections as [FrameStream, FrameStream]
  const session = new RpcSession<Source>(called)
  using source = session.getRemoteMain()
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
  for (let round = -warmUps; round < rounds; round++) {
    for (const [name, run] of Object.entries(ways)) {
      const start = performance.now()
      const bytes = await run()
      const seconds = (performance.now() - start) / 1000
      if (bytes !== chunks * chunkBytes) throw new Error(`${name}: ${bytes} bytes came`)
      if (round >= 0) rates.get(name)?.push(bytes / seconds / 1e6)
    }
  }
  raw.destroy()
  await session.close()
  const baseline = median(rates.get('bare frames') as number[])
  console.log(`${rounds} rounds of ${mebibytes} MiB in chunks of 64 KiB`)
  for (const [name, rate] of rates) {
    const ratio = median(rate) / baseline
    const spread = `${Math.min(...rate).toFixed(0)} to ${Math.max(...rate).toFixed(0)}`
    console.log(
      `${name.padEnd(26)} ${median(rate).toFixed(0).padStart(6)} MB/s (${spread})  ${ratio.toFixed(2)} of bare frames`,
    )
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] as number
}
