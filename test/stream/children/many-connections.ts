/**
 * Serves and connects thousands of streams at once: many-connections.ts PATH COUNT READINESS. Each one's frame, with a
 * descriptor, comes back on it, and it ends. Prints what went wrong, and how many descriptors are owned in the end.
 */
import { connect, Descriptor, type FrameStream, listen } from '../../../src/stream/index.js'
import { binding } from '../../../src/transport/native.js'

const [path, count, readiness] = process.argv.slice(2) as [string, string, 'level' | 'edge']
const options = { readiness, maxDescriptors: 1 }
const before = binding.ledgerCount()
const server = await listen(path, options)
const failures: string[] = []

server.on('connection', async (stream) => {
  for await (const frame of stream) stream.send(frame.payload, frame.descriptors, { transfer: true })
  await stream.end()
})

async function echo(stream: FrameStream, name: string): Promise<void> {
  using file = Descriptor.dup(0)
  stream.send(Buffer.from(name), [file])
  await stream.end()
  for await (const frame of stream) {
    const answer = Buffer.from(frame.payload).toString()
    if (answer !== name || frame.descriptors.length !== 1) failures.push(`${name}: ${answer}`)
    frame[Symbol.dispose]()
  }
  await stream.closed
}

const streams = await Promise.all(Array.from({ length: Number(count) }, () => connect(path, options)))
const connected = streams.filter(({ destroyed }) => !destroyed).length
for (let i = 0; i < streams.length; i += 100) {
  await Promise.all(streams.slice(i, i + 100).map((stream, k) => echo(stream, String(i + k))))
}
await server.close()
const owned = binding.ledgerCount() - before
process.stdout.write(`${JSON.stringify({ connected, failures, owned })}\n`)
