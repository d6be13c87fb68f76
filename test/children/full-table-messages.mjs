/**
 * Receives messages with a descriptor table that is full: full-table-messages.mjs losing|waiting|ending TYPE READINESS.
 * Answers with what arrived.
 */
import { statSync } from 'node:fs'
import { pair } from 'pillion'
import { answer, fillTable, makeRoom, makeTokens, seenFrame } from './table.mjs'

const [scenario, type, readiness] = process.argv.slice(2)
const open = () => statSync('/proc/self/fd').size

// A thread's edge-triggered set opens with the first stream that needs it, and stays.
for (const end of pair({ readiness: 'edge' })) end.on('frame', () => {}).destroy()

await { losing, waiting, ending }[scenario]()

/** Without headroom: that message alone has lost some, an empty one as well. */
async function losing() {
  const tokens = makeTokens(3)
  const before = open()
  const [left, right] = pair({ type, readiness, descriptorHeadroom: 0 })
  const frames = right[Symbol.asyncIterator]()
  await fillTable(2)
  for (const payload of ['', 'plain']) left.send(Buffer.from(payload), payload === '' ? tokens : [])
  const seen = [seenFrame((await frames.next()).value), seenFrame((await frames.next()).value)]
  makeRoom()
  left.send(Buffer.from('whole'), tokens)
  seen.push(seenFrame((await frames.next()).value))
  left.destroy()
  right.destroy()
  answer({ seen, leaked: open() - before })
}

/** With headroom: a message without descriptors does not wait, the next one does. */
async function waiting() {
  const tokens = makeTokens(20)
  const [left, right] = pair({ type, readiness })
  let pressures = 0
  let plain = 0
  right.on('pressure', () => {
    pressures++
    plain = right.stats.received.frames
    if (pressures === 3) makeRoom()
  })
  const frames = right[Symbol.asyncIterator]()
  await fillTable(10)
  for (const payload of ['', 'plain', '']) left.send(Buffer.from(payload))
  left.send(Buffer.from('first'), tokens)
  left.send(Buffer.from(''), tokens.slice(5))
  const seen = []
  while (seen.length < 5) seen.push(seenFrame((await frames.next()).value))
  left.destroy()
  right.destroy()
  answer({ pressures, plain, seen })
}

/** With headroom: an end is seen at once, and so is a reset, behind what came before it. */
async function ending() {
  const options = { type, readiness, pressureTimeout: 0x7fff_ffff }
  const [left, right] = pair(options)
  const [resetting, reset] = pair(options)
  let pressures = 0
  for (const stream of [right, reset]) stream.on('pressure', () => pressures++)
  reset.send(Buffer.from('unread'))
  resetting.send(Buffer.from('last'))
  left.send(Buffer.from(''))
  await fillTable(0)
  resetting.destroy()
  await left.end()
  const seen = []
  for await (const frame of right) seen.push(seenFrame(frame))
  const error = await (async () => {
    for await (const frame of reset) seen.push(seenFrame(frame))
  })().catch((reason) => reason.code)
  left.destroy()
  right.destroy()
  answer({ seen, error, pressures })
}
