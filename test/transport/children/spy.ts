/**
 * Looks at a path as fast as it can until its input ends, for every mode that the file has, and as nobody tries to
 * connect to it. Says what it saw.
 */
import { lstatSync } from 'node:fs'
import { connectUnix } from '../../../src/transport/connect.js'
import { binding } from '../../../src/transport/native.js'

const path = process.argv[2] as string
await connectUnix('/nonexistent').catch(() => undefined)
process.setgroups?.([])
process.setgid?.(65534)
process.setuid?.(65534)

const modes = new Set<string>()
const bytes = new TextEncoder().encode(path)
let looks = 0
let connected = 0
let ended = false
process.stdin.on('end', () => {
  ended = true
})
process.stdin.resume()
process.stdout.write('"ready"\n')
while (!ended) {
  for (let i = 0; i < 500; i++) {
    const found = lstatSync(path, { throwIfNoEntry: false })
    if (found === undefined) continue
    looks++
    modes.add((found.mode & 0o7777).toString(8))
    const fd = binding.connectSocket(bytes)
    if (fd < 0) continue
    connected++
    binding.closeFd(fd)
  }
  await new Promise(setImmediate)
}
process.stdout.write(`${JSON.stringify({ modes: [...modes], looks: looks > 0, connected })}\n`)
