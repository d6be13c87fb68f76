/** A descriptor table that can be filled to the last place, tokens as test/support/tokens.ts has them, and answers. */
import { closeSync, openSync, readSync } from 'node:fs'
import { Descriptor } from 'pillion'

const fillers = []

/** Takes every place of the table but `free`. */
export async function fillTable(free) {
  // What Node itself has open may still come and go for a while after the start.
  for (let quiet = 0; quiet < 20; quiet++) {
    for (;;) {
      try {
        fillers.push(openSync('/dev/null', 'r'))
        quiet = 0
      } catch (error) {
        if (error.code !== 'EMFILE') throw error
        break
      }
    }
    await new Promise(setImmediate)
  }
  makeRoom(free)
}

/** Gives `count` places back; all of them by default. */
export function makeRoom(count = fillers.length) {
  if (count > fillers.length) throw new Error(`${count} places wanted, ${fillers.length} are filled`)
  for (const fd of fillers.splice(fillers.length - count)) closeSync(fd)
}

export function makeTokens(count, first = 0) {
  return Array.from({ length: count }, (_, i) => {
    const content = Buffer.alloc(4)
    content.writeUInt32LE(first + i)
    return Descriptor.memfd(content)
  })
}

export function tokenOf({ fd }) {
  const content = Buffer.alloc(4)
  readSync(fd, content, 0, 4, 0)
  return content.readUInt32LE()
}

/** A frame as what can be told of it; its descriptors are closed. */
export function seenFrame(frame) {
  const tokens = frame.descriptors.map(tokenOf)
  frame[Symbol.dispose]()
  return { payload: Buffer.from(frame.payload).toString(), tokens, lost: frame.lost }
}

export function answer(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}
