/**
 * Sends descriptors as a user of its own, who may have only so many in flight: in-flight.mjs UID SCENARIO READINESS.
 * Root is exempt from that limit, hence the user; a user of its own, hence nobody else's descriptors count.
 */
import { statSync } from 'node:fs'
import { pair } from 'pillion'
import { answer, makeTokens, seenFrame } from './table.mjs'

const [uid, scenario, readiness] = process.argv.slice(2)
process.setgroups([])
process.setgid(Number(uid))
process.setuid(Number(uid))

const open = () => statSync('/proc/self/fd').size
const options = {
  readiness,
  descriptorHeadroom: 0,
  maxDescriptors: 300,
  pressureTimeout: ['bound', 'begun', 'together'].includes(scenario) ? 300 : 5000,
}
for (const end of pair(options)) end.on('frame', () => {}).destroy()

const before = open()
const [filler, drain] = pair(options)
const [left, right] = pair(options)
// Few files and many numbers of them, since received ones need their places as well.
const files = makeTokens(10)
const tokens = Array.from({ length: 300 }, (_, i) => files[(i * i) % 10])

const pressures = []
let onPressure = () => {}
left.on('pressure', (pressure) => {
  pressures.push(pressure)
  onPressure()
})
const errors = []
left.on('error', (error) => errors.push(describe(error)))
const refused = []
left.on('refused', (error) => refused.push(describe(error)))
const frames = right[Symbol.asyncIterator]()

/** As many in flight as it takes for the next one to be too many: the limit is looked at before they are added. */
function fill(limit) {
  for (let sent = 0; sent <= limit; sent += 100) filler.send(Buffer.from('filler'), tokens.slice(0, 100))
}

/** Receives what `fill` sent. */
async function empty() {
  drain.onBatch(() => {})
  drain.resume()
  await new Promise((resolve) => {
    const look = () => (drain.stats.received.frames === filler.stats.sent.frames ? resolve() : setImmediate(look))
    look()
  })
  drain.pause()
}

function describe({ name, code, origin, message }) {
  return { name, code, origin, message }
}

async function next() {
  return seenFrame((await frames.next()).value)
}

const scenarios = {
  /** Frames wait at the head of the queue, and all go once somebody reads the others'. */
  async waiting() {
    fill(450)
    left.send(Buffer.from('plain ahead'))
    left.send(Buffer.from('first'), tokens.slice(0, 3))
    left.send(Buffer.from('plain behind'))
    left.send(Buffer.from('second'), tokens.slice(3, 5))
    const seen = [await next()]
    const flushed = left.flush()
    await new Promise((resolve) => {
      onPressure = () => pressures.length === 4 && resolve()
    })
    const framesBefore = right.stats.received.frames
    await empty()
    await flushed
    for (let i = 0; i < 3; i++) seen.push(await next())
    return { framesBefore, seen, pressures: pressures.map(({ reason, direction }) => [reason, direction]) }
  },

  /** Nobody reads: each frame that cannot go is given up by itself, and those behind it have their turn. */
  async bound() {
    fill(450)
    left.send(Buffer.from('too many'), tokens.slice(0, 3))
    left.send(Buffer.from('plain'))
    const flushed = left.flush().then(
      () => 'flushed',
      (error) => describe(error),
    )
    const seen = [await next()]
    const firstFlush = await flushed

    left.send(Buffer.from('again too many'), tokens.slice(0, 3))
    await new Promise((resolve) => left.once('refused', resolve))
    await empty()
    left.send(Buffer.from('may go'), tokens.slice(5, 7))
    seen.push(await next())
    return { seen, firstFlush, refused, count: left.stats.sent.refused }
  },

  /** Several wait together: the bound is on the wait, and one that is given up begins no new one. */
  async together() {
    fill(450)
    const waits = []
    left.on('refused', () => waits.push(pressures.length))
    for (const name of ['one', 'two', 'three']) left.send(Buffer.from(name), tokens.slice(0, 3))
    left.send(Buffer.from('plain'))
    const seen = [await next()]
    const before = pressures.length
    left.send(Buffer.from('later'), tokens.slice(0, 3))
    await new Promise((resolve) => left.once('refused', resolve))
    return { seen, waits, refused, before, after: pressures.length }
  },

  /** A frame of two sets, whose first one went: its second waits for the reader, who is free to read the first. */
  async large() {
    filler.send(Buffer.from('filler'), tokens.slice(0, 200))
    left.send(Buffer.from('large'), tokens)
    return { seen: [await next()], waited: pressures.length > 0 }
  },

  /** The same without a reader: what was begun cannot be given up alone, so the stream ends. */
  async begun() {
    filler.send(Buffer.from('filler'), tokens.slice(0, 200))
    right.pause()
    left.send(Buffer.from('large'), tokens)
    const flush = await left.flush().catch(describe)
    return { flush, destroyed: left.destroyed }
  },
}

const result = await scenarios[scenario]()
for (const stream of [filler, drain, left, right]) stream.destroy()
for (const file of files) file.close()
await new Promise(setImmediate)
answer({ ...result, errors, leaked: open() - before })
