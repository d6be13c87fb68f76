/**
 * Cap'n Proto's C++ implementation at the other end: messages of all sizes with descriptors, both ways; and sends that
 * its own reader gets wrong.
 */
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { capnp, capnpSegments, raw } from '../../src/framing/index.js'
import { Dice } from '../../src/framing/testing/index.js'
import { adopt, connect, type Frame, type FrameStream } from '../../src/stream/index.js'
import { adoptOwned } from '../../src/transport/descriptor.js'
import { pairUnix } from '../../src/transport/index.js'
import { isMet, needs } from '../support/needs.js'
import { destroyedAfterTest, readinesses } from '../support/streams.js'
import { closeAll, makeTokens, tokenOf } from '../support/tokens.js'
import { buildPeer } from './support/build-peer.js'
import { readDataList, writeDataList } from './support/capnp-message.js'
import { type Program, startProgram, temporaryFolder } from './support/program.js'
import { flawless, Scenario } from './support/results.js'

const peer = "Cap'n Proto C++"
const count = 4_000
const header = 'capnp/serialize-async.h'
let program = ''

beforeAll(async () => {
  if (!isMet({ header })) return
  program = await buildPeer('capnp-peer.cc', ['-lcapnp-rpc', '-lcapnp', '-lkj-async', '-lkj'])
})

beforeEach((context) => needs(context, { header }))

describe.each(readinesses)('with %s readiness', (readiness) => {
  it('gives each message that the peer writes its own descriptors', async () => {
    const { path, version, output } = await startPeer('send', '1', String(count))
    const scenario = new Scenario({ peer: `${peer}, ${readiness}`, version, direction: 'in' })
    const stream = await connect(path, { codec: capnp(), readiness })
    const damaged: number[] = []
    const largest = { bytes: 0, segments: 0, descriptors: 0 }
    let serial = 0
    for await (const frame of stream) {
      largest.bytes = Math.max(largest.bytes, frame.payload.length)
      largest.segments = Math.max(largest.segments, capnpSegments(frame.payload).length)
      largest.descriptors = Math.max(largest.descriptors, frame.descriptors.length)
      if (!checkFrame(frame, serial, scenario)) damaged.push(serial)
      serial++
    }
    await stream.end()
    expect(largest.bytes).toBeGreaterThan(1_000_000)
    expect(largest.segments).toBeGreaterThan(290)
    expect(largest.descriptors).toBe(253)
    scenario.leakedByPeer = (await totalsOf(output)).leaked
    expect(await scenario.finish()).toMatchObject({ ...flawless, frames: count })
    expect(scenario.descriptors).toBeGreaterThan(count)
    expect(damaged).toEqual([])
  })

  it('sends messages whose descriptors the peer finds with them', async () => {
    const { path, version, output } = await startPeer('receive')
    const scenario = new Scenario({ peer: `${peer}, ${readiness}`, version, direction: 'out' })
    const stream = await connect(path, { codec: capnp(), readiness })
    const nothing = expectNothing(stream)
    await sendMessages(stream, 2)
    await nothing
    const { leaked, damaged, ...counts } = await totalsOf(output)
    Object.assign(scenario, { ...counts, leakedByPeer: leaked })
    expect(await scenario.finish()).toMatchObject({ ...flawless, frames: count })
    expect(scenario.descriptors).toBeGreaterThan(count)
    expect(damaged).toBe(0)
  })

  it('gets back what it sends, while it is still sending', async () => {
    const { path, version, output } = await startPeer('echo')
    const scenario = new Scenario({ peer: `${peer}, ${readiness}`, version, direction: 'both' })
    const stream = await connect(path, { codec: capnp(), readiness })
    const damaged: number[] = []
    const receiving = (async () => {
      let serial = 0
      for await (const frame of stream) {
        if (!checkFrame(frame, serial, scenario)) damaged.push(serial)
        serial++
      }
    })()
    await sendMessages(stream, 3)
    await receiving
    const { leaked, misassigned, lost, damaged: damagedThere } = await totalsOf(output)
    expect({ misassigned, lost, damagedThere }).toEqual({ misassigned: 0, lost: 0, damagedThere: 0 })
    scenario.leakedByPeer = leaked
    expect(await scenario.finish()).toMatchObject({ ...flawless, frames: count })
    expect(damaged).toEqual([])
  })
})

describe('on sends that cut a message', () => {
  /** A message of 64 bytes: the table, the list of one, and 40 bytes of data with its serial number. */
  const message = (serial: number, descriptors = 0) =>
    Buffer.concat(writeDataList([dataFor(serial, descriptors, 40)], false))

  // What the implementation does with each is what it does on this machine, seen; what pillion does is what is right.
  it.each([
    {
      what: 'header · part of the body with a descriptor · rest · next message with one',
      sends: [
        { bytes: message(0).subarray(0, 8), tokens: [] },
        { bytes: message(0).subarray(8, 24), tokens: [0] },
        { bytes: message(0).subarray(24), tokens: [] },
        { bytes: message(1), tokens: [256] },
      ],
      theirs: [[], [256]],
      ours: [[0], [256]],
    },
    {
      what: 'a message with one right behind a plain one, in the same send',
      sends: [{ bytes: Buffer.concat([message(0), message(1)]), tokens: [256] }],
      theirs: [[256], []],
      ours: [[], [256]],
    },
    {
      what: 'a descriptor with the last byte of its message',
      sends: [
        { bytes: message(0).subarray(0, -1), tokens: [] },
        { bytes: message(0).subarray(-1), tokens: [0] },
        { bytes: message(1), tokens: [] },
      ],
      theirs: [[], []],
      ours: [[0], []],
    },
  ])('pairs rightly where its reader does not: $what', async ({ sends, theirs, ours }) => {
    const { path, output } = await startPeer('list')
    const toPeer = await connect(path, { codec: raw() })
    const ended = expectNothing(toPeer)
    await sendEach(toPeer, sends)
    await ended
    const seen: number[][] = []
    for (const [i] of theirs.entries()) {
      const { serial, tokens } = JSON.parse(await output.line())
      expect(serial).toBe(i)
      seen.push(tokens)
    }
    expect(seen).toEqual(theirs)
    expect((await totalsOf(output)).leaked).toBe(0)

    const [near, far] = pairUnix().map(adoptOwned)
    const toUs = destroyedAfterTest(adopt(near!, { codec: raw() }))
    const reader = destroyedAfterTest(adopt(far!, { codec: capnp() }))
    const received: number[][] = []
    const receiving = (async () => {
      for await (const frame of reader) {
        expect(serialOf(frame)).toBe(received.length)
        received.push(frame.descriptors.map(tokenOf))
        frame[Symbol.dispose]()
      }
    })()
    await sendEach(toUs, sends)
    await receiving
    expect(received).toEqual(ours)
  })
})

interface Totals {
  readonly frames: number
  readonly descriptors: number
  readonly misassigned: number
  readonly lost: number
  readonly damaged: number
  readonly leaked: number
}

async function startPeer(...args: readonly string[]) {
  const path = join(temporaryFolder(), 'peer')
  const output = startProgram(program, [path, ...args])
  const { version } = JSON.parse(await output.line()) as { version: string }
  return { path, version, output }
}

/** What the peer says last. */
async function totalsOf(output: Program): Promise<Totals> {
  const totals = JSON.parse(await output.line())
  expect(await output.exited).toBe(0)
  return totals
}

async function sendMessages(stream: FrameStream, seed: number): Promise<void> {
  const dice = new Dice(seed)
  for (let serial = 0; serial < count; serial++) {
    const descriptors = dice.roll(2) === 0 ? 0 : dice.roll(200) === 0 ? 253 : 1 + dice.roll(4)
    const most = dice.pick([0, 200, 200, 200, 4_000, dice.roll(50) === 0 ? 1 << 20 : 40_000])
    const data = [dataFor(serial, descriptors, 8)]
    for (let i = dice.roll(5); i > 0; i--) data.push(elementFor(serial, data.length, dice.roll(most + 1)))
    const tokens = makeTokens(tokensFor(serial, descriptors))
    if (!stream.send(writeDataList(data, dice.roll(3) === 0), tokens, { transfer: true })) await stream.drained()
  }
  await stream.end()
}

/** Whether the bytes are what they should be; the descriptors go to the scenario. */
function checkFrame(frame: Frame, serial: number, scenario: Scenario): boolean {
  const data = readDataList(frame.payload)
  const announced = Buffer.from(data[0]!).readUInt32LE(4)
  scenario.message(frame.descriptors.map(tokenOf), tokensFor(serial, announced), frame.lost)
  frame[Symbol.dispose]()
  const isDamaged = data.some(
    (element, i) => i > 0 && Buffer.compare(element, elementFor(serial, i, element.length)) !== 0,
  )
  return serialOf(frame) === serial && !isDamaged
}

function serialOf(frame: Frame): number {
  return Buffer.from(readDataList(frame.payload)[0]!).readUInt32LE(0)
}

/** As capnp-peer.cc makes and checks them. */
function dataFor(serial: number, descriptors: number, length: number): Buffer {
  const data = Buffer.alloc(length)
  data.writeUInt32LE(serial, 0)
  data.writeUInt32LE(descriptors, 4)
  return data
}

function elementFor(serial: number, element: number, length: number): Buffer {
  const data = Buffer.allocUnsafe(length)
  for (let at = 0; at < length; at++) data[at] = serial * 31 + element * 7 + at
  return data
}

function tokensFor(serial: number, descriptors: number): number[] {
  return Array.from({ length: descriptors }, (_, i) => serial * 256 + i)
}

/** Each in a sendmsg of its own. */
async function sendEach(stream: FrameStream, sends: readonly { bytes: Uint8Array; tokens: readonly number[] }[]) {
  for (const { bytes, tokens } of sends) {
    const descriptors = makeTokens(tokens)
    stream.send(bytes, descriptors)
    await stream.flush()
    closeAll(descriptors)
  }
  await stream.end()
}

/** Resolves when the peer has ended its direction. */
async function expectNothing(stream: FrameStream): Promise<void> {
  for await (const frame of stream) throw new Error(`a frame of ${frame.payload.length} bytes came`)
}
