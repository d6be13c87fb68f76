/**
 * Lends descriptors while the table is full, so that no duplicate can be made. Prints the names that arrive, of one that was
 * closed and one that was taken before their frames had gone; then what `take` threw where the peer does not read.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { Descriptor, type FrameStream, pair } from '../../../src/stream/index.js'

const crowd: number[] = []

function crowded<T>(act: () => T): T {
  try {
    for (;;) crowd.push(openSync('/dev/null', 'r'))
  } catch {
    // It is full.
  }
  try {
    return act()
  } finally {
    for (const fd of crowd.splice(0)) closeSync(fd)
  }
}

async function lastNames(stream: FrameStream, frames: number, count: number): Promise<string[]> {
  const names: string[] = []
  let seen = 0
  for await (const frame of stream) {
    for (const descriptor of frame.descriptors) {
      const into = Buffer.alloc(16)
      names.push(into.toString('utf8', 0, readSync(descriptor.fd, into, 0, 16, 0)))
      descriptor.close()
    }
    if (++seen === frames) break
  }
  return names.slice(-count)
}

const named = (name: string) => Descriptor.memfd(Buffer.from(name))
const print = (answer: unknown) => process.stdout.write(`${JSON.stringify(answer)}\n`)

const [a, b] = pair({ descriptorHeadroom: 0 })
const first = named('first')
a.send(Buffer.from('first'), [first])
first.close()
const [closed, taken] = [named('right'), named('right')]
const number = crowded(() => {
  a.send(Buffer.from('closed'), [closed])
  a.send(Buffer.from('taken'), [taken])
  closed.close()
  return taken.take()
})
closeSync(number)
const [ofClosed, ofTaken] = await lastNames(b, 3, 2)
print({ closed: ofClosed, taken: ofTaken })

const [c, d] = pair({ descriptorHeadroom: 0 })
let filled = 1
while (c.send(Buffer.alloc(16_000))) filled++
const right = named('right')
const code = crowded(() => {
  c.send(Buffer.from('1'), [right])
  c.send(Buffer.from('2'), [right])
  try {
    right.take()
  } catch (error) {
    return (error as NodeJS.ErrnoException).code
  }
  return undefined
})
const open = !right.closed
closeSync(right.take())
print({ code, open, arrived: await lastNames(d, filled + 2, 2) })
for (const stream of [a, b, c, d]) stream.destroy()
