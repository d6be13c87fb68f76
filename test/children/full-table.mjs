/**
 * Receives with a descriptor table that is full, or nearly: full-table.mjs losing|waiting|idling|ending|risking|accepting ...
 * Answers with what arrived.
 */
import { statSync } from 'node:fs'
import { connect, listen, pair } from 'pillion'
import { answer, fillTable, makeRoom, makeTokens, seenFrame } from './table.mjs'

const [scenario, ...args] = process.argv.slice(2)
const open = () => statSync('/proc/self/fd').size

// A thread's edge-triggered set opens with the first stream that needs it, and stays.
for (const end of pair({ readiness: 'edge' })) end.on('frame', () => {}).destroy()

const scenarios = { losing, waiting, idling, ending, risking, accepting }
await scenarios[scenario](...args)

/** Without headroom: frames of `count` descriptors, one for each number of free places. */
async function losing(readiness, count, places) {
  const tokens = makeTokens(Number(count))
  for (const free of JSON.parse(places)) {
    const before = open()
    const [left, right] = pair({ readiness, descriptorHeadroom: 0, maxDescriptors: 1024 })
    const frames = right[Symbol.asyncIterator]()
    await fillTable(free)
    left.send(Buffer.from('short'), tokens)
    left.send(Buffer.from('plain'))
    const seen = [seenFrame((await frames.next()).value), seenFrame((await frames.next()).value)]

    // What the first frame had is closed: now as many places are free again.
    left.send(Buffer.from('after'), tokens.slice(0, free))
    seen.push(seenFrame((await frames.next()).value))
    makeRoom()
    left.send(Buffer.from('whole'), tokens)
    seen.push(seenFrame((await frames.next()).value))
    const { lost } = right.stats.received
    left.destroy()
    right.destroy()
    answer({ free, seen, lost, leaked: open() - before })
  }
}

/** With headroom: waits until there are places again, and loses nothing. */
async function waiting(readiness) {
  const tokens = makeTokens(20)
  const [left, right] = pair({ readiness })
  const pressures = []
  right.on('pressure', (pressure) => {
    pressures.push(pressure)
    if (pressures.length === 3) makeRoom()
  })
  const frames = right[Symbol.asyncIterator]()
  await fillTable(10)
  left.send(Buffer.from('ahead'))
  left.send(Buffer.from('first'), tokens)
  left.send(Buffer.from('second'), tokens.slice(5))
  const seen = []
  while (seen.length < 3) seen.push(seenFrame((await frames.next()).value))
  left.destroy()
  right.destroy()
  answer({
    pressures: pressures.map(({ reason, direction }) => [reason, direction]),
    seen,
    stats: right.stats.pressures,
  })
}

/** With headroom gone while nothing is there to receive: the wait, and its bound, begin with what comes then. */
async function idling(readiness) {
  const tokens = makeTokens(40)
  const options = { readiness, pressureTimeout: 400 }
  const [left, right] = pair(options)
  const [otherLeft, otherRight] = pair(options)
  const frames = right[Symbol.asyncIterator]()
  const otherFrames = otherRight[Symbol.asyncIterator]()
  let waits = 0
  right.on('pressure', () => {
    waits++
    if (waits === 2) makeRoom()
  })
  // A quarter of the table is what it wants free: there is that much before this frame, and not behind it.
  await fillTable(85)
  left.send(Buffer.from('held'), tokens.slice(0, 20))
  const { value: held } = await frames.next()

  // The other stream has something to wait with, past the bound.
  otherLeft.send(Buffer.from('short'), tokens)
  const seen = [seenFrame((await otherFrames.next()).value)]
  const idleWaits = waits
  await fillTable(0)
  left.send(Buffer.from('whole'), tokens)
  seen.push(seenFrame((await frames.next()).value), seenFrame(held))
  for (const stream of [left, right, otherLeft, otherRight]) stream.destroy()
  answer({ idleWaits, waits, seen })
}

/** With a full table, the end of a stream is seen at once: it brings no descriptor, and it may free some. */
async function ending(readiness) {
  const [left, right] = pair({ readiness, pressureTimeout: 0x7fff_ffff })
  let pressures = 0
  right.on('pressure', () => pressures++)
  await fillTable(0)
  await left.end()
  const ended = (await right[Symbol.asyncIterator]().next()).done
  left.destroy()
  right.destroy()
  answer({ ended, pressures })
}

/** With headroom, and nobody who makes room: after the bound it receives, loses, and says so. */
async function risking(readiness) {
  const tokens = makeTokens(20)
  const [left, right] = pair({ readiness, pressureTimeout: 400 })
  let waits = 0
  right.on('pressure', () => waits++)
  const frames = right[Symbol.asyncIterator]()
  await fillTable(10)
  left.send(Buffer.from('short'), tokens)
  const seen = [seenFrame((await frames.next()).value)]
  makeRoom()
  left.send(Buffer.from('whole'), tokens)
  seen.push(seenFrame((await frames.next()).value))

  // Room again: from here on it would rather wait than lose, as before.
  const waitsBefore = waits
  await fillTable(10)
  right.once('pressure', () => makeRoom())
  left.send(Buffer.from('later'), tokens)
  seen.push(seenFrame((await frames.next()).value))
  left.destroy()
  right.destroy()
  answer({ seen, waitsBefore, waitsAfter: waits - waitsBefore })
}

/** A server with a full table leaves connections in the backlog, and takes them when there are places. */
async function accepting() {
  const address = `@pillion-full-table-${process.pid}`
  const server = await listen(address)
  const clients = [await connect(address), await connect(address)]
  for (const client of clients) client.send(Buffer.from('hello'))
  const pressures = []
  const connections = []
  await fillTable(0)
  await new Promise((resolve) => {
    server.on('pressure', ({ code }) => {
      pressures.push(code)
      if (pressures.length === 2) makeRoom()
    })
    server.on('connection', (stream) => {
      stream.on('frame', (frame) => {
        connections.push(seenFrame(frame).payload)
        if (connections.length === clients.length) resolve()
        stream.destroy()
      })
    })
  })
  for (const client of clients) client.destroy()
  await server.close()
  answer({ pressures, connections })
}
