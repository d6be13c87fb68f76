/** Owns descriptors, tells their numbers, and waits to be terminated. Plain JavaScript: Node 20 starts no other. */
import { parentPort } from 'node:worker_threads'
import { tsImport } from 'tsx/esm/api'

const { Descriptor } = await tsImport('../../../src/transport/descriptor.ts', import.meta.url)
const kept = [Descriptor.memfd(1), Descriptor.memfd(2)]
parentPort.postMessage(kept.map((descriptor) => descriptor.fd))
parentPort.on('message', () => kept.length)
