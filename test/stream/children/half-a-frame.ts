/**
 * Sends a frame of five sets of borrowed numbers into a kernel that has less and less room for it, with no room for
 * duplicates in the descriptor table. Prints for each try what `send` threw, whether the stream lives on, and, if so,
 * whether the next frame arrived as the next one.
 */
import { openSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { Descriptor, pair } from '../../../src/stream/index.js'

const tries: unknown[] = []
for (let ahead = 0; ahead < 12; ahead++) {
  const [a, b] = pair({ sendBuffer: 1, maxDescriptors: 1024, descriptorHeadroom: 0 })
  for (const stream of [a, b]) stream.on('error', () => {})
  const one = Descriptor.memfd(1)
  for (let i = 0; i < ahead; i++) {
    a.send(new Uint8Array(1))
    await turn() // a sendmsg of its own
  }
  const crowd: Descriptor[] = []
  try {
    for (;;) crowd.push(Descriptor.own(openSync('/dev/null', 'r')))
  } catch {
    // It is full.
  }
  let thrown: unknown = null
  try {
    a.send(new Uint8Array(1), Array(1024).fill(one.fd))
  } catch (error) {
    thrown = (error as NodeJS.ErrnoException).code
  }
  for (const descriptor of [one, ...crowd]) descriptor.close()
  const lives = !a.destroyed
  let next: number | undefined
  if (lives && thrown !== null) {
    a.send(new Uint8Array(2))
    const lengths: number[] = []
    for await (const frame of b) {
      lengths.push(frame.payload.length)
      if (lengths.length === ahead + 1) break
    }
    next = lengths[ahead]
  }
  tries.push([thrown, lives, next])
  for (const stream of [a, b]) stream.destroy()
}
process.stdout.write(`${JSON.stringify(tries)}\n`)
