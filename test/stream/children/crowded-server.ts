/**
 * Serves at a path with a descriptor table that is full; says which `pressure` comes of it, and makes room at the first
 * line that it is told. Everybody who connects is welcomed.
 */
import { openSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { Descriptor, listen } from '../../../src/stream/index.js'

const say = (what: unknown) => void process.stdout.write(`${JSON.stringify(what)}\n`)

const server = await listen(process.argv[2] as string)
const crowd: Descriptor[] = []
try {
  for (;;) crowd.push(Descriptor.own(openSync('/dev/null', 'r')))
} catch {
  // It is full.
}
server.once('pressure', ({ code }) => say(code))
server.on('connection', (stream) => {
  stream.send(Buffer.from('welcome'))
  stream.on('frame', () => {})
  stream.on('end', () => stream.destroy())
})
say('listening')
for await (const _ of createInterface({ input: process.stdin })) for (const one of crowd.splice(0)) one.close()
await server.close()
