/**
 * libwayland at the other end: descriptors that come ahead of their messages, in bursts, and requests that bear some.
 */
import { readSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, beforeEach, expect, it } from 'vitest'
import type { Display, DisplayOptions, WaylandEvent } from '../../examples/wayland-screenshot/display.js'
import { Arguments, message } from '../../examples/wayland-screenshot/wire.js'
import { raw } from '../../src/framing/index.js'
import { Dice } from '../../src/framing/testing/index.js'
import { connect } from '../../src/stream/index.js'
import { isMet, needs } from '../support/needs.js'
import { destroyedAfterTest, readinesses } from '../support/streams.js'
import { closeAll, makeTokens, tokenOf } from '../support/tokens.js'
import { buildPeer } from './support/build-peer.js'
import { type Program, startProgram, temporaryFolder } from './support/program.js'
import { flawless, Scenario } from './support/results.js'
import { connectTo } from './support/wayland-scenes.js'

const header = 'wayland-server.h'
const peer = 'libwayland-server'
const count = 3_000
/** Of wayland-server.c: descriptors of each kind of message. */
const kinds = [0, 1, 3, 12] as const
const [burstRequest, firstRequest, reportRequest] = [0, 1, 5]
let program = ''

beforeAll(async () => {
  if (isMet({ header })) program = await buildPeer('wayland-server.c', ['-lwayland-server'])
})

beforeEach((context) => needs(context, { header }))

it.each(readinesses)('gives each of thousands of events its descriptors, with %s readiness', async (readiness) => {
  const server = await startServer(1)
  const scenario = new Scenario({ peer: `${peer}, ${readiness}`, version: server.version, direction: 'in' })
  const { damaged } = await receiveEvents(server.path, { readiness }, (came, belong, lost) => {
    scenario.message(came, belong, lost)
  })
  scenario.leakedByPeer = await leakedBy(server)
  expect(await scenario.finish()).toMatchObject({ ...flawless, frames: count })
  expect(scenario.descriptors).toBeGreaterThan(count)
  expect(damaged).toEqual([])
})

it('is sent descriptors ahead of their messages, in a read that ends before these begin', async () => {
  const server = await startServer(1)
  const stream = destroyedAfterTest(await connect(server.path, { codec: raw() }))
  // The registry's first global, by the ids that are free in a new connection.
  stream.send(message(1, 1, 2))
  stream.send(message(2, 0, 1, 'pillion_peer', 1, 3))
  const burst = () => stream.send(message(3, burstRequest, 30))
  const chunks: Uint8Array[] = []
  const seen: { token: number; readEnd: number }[] = []
  let starts: number[] = []
  let length = 0
  burst()
  for await (const { payload, descriptors } of stream) {
    chunks.push(payload)
    length += payload.length
    // Each set ends its frame: this is where the recvmsg that returned it ended.
    for (const descriptor of descriptors) seen.push({ token: tokenOf(descriptor), readEnd: length })
    closeAll(descriptors)
    const bursts = Math.floor(starts.length / 30)
    starts = startsOfEvents(Buffer.concat(chunks))
    if (starts.length === count) break
    if (Math.floor(starts.length / 30) > bursts) burst()
  }
  const early = seen.filter(({ token, readEnd }) => readEnd <= starts[token >>> 8]!)
  expect(seen.length).toBeGreaterThan(count)
  expect(early.length).toBeGreaterThan(0)
  expect(await leakedBy(server)).toBe(0)
})

it.each(readinesses)(
  'sends requests whose descriptors the server finds with them, with %s readiness',
  async (readiness) => {
    const server = await startServer(1)
    const scenario = new Scenario({ peer: `${peer}, ${readiness}`, version: server.version, direction: 'out' })
    const display = await connectTo(server.path, { readiness })
    const dice = new Dice(1)
    const object = display.bind('pillion_peer', 1)
    for (let serial = 0; serial < count; serial++) {
      const kind = dice.roll(kinds.length)
      const tokens = makeTokens(tokensFor(serial, kind))
      const array = arrayFor(serial, dice.roll(20) === 0 ? dice.roll(3_000) : dice.roll(100))
      display.request(object, firstRequest + kind, [serial, array], tokens)
      closeAll(tokens)
      if (dice.roll(50) === 0) await display.drained()
    }
    const [frames, descriptors, misassigned, lost, damaged] = await reportOf(display)
    display.close()
    Object.assign(scenario, { frames, descriptors, misassigned, lost })
    scenario.leakedByPeer = await leakedBy(server)
    expect(await scenario.finish()).toMatchObject({ ...flawless, frames: count })
    expect(scenario.descriptors).toBeGreaterThan(count)
    expect(damaged).toBe(0)
  },
)

it("receives the keymap of a seat's keyboard", async () => {
  const server = await startServer(1)
  const display = await connectTo(server.path)
  const seat = display.bind('wl_seat', 5)
  const keymap = await display.unlessClosed(
    new Promise<WaylandEvent>((resolve) => {
      display.request(seat, 1, [display.create({ descriptors: { 0: 1 }, onEvent: resolve })])
    }),
  )
  const [format, size] = [keymap.args.uint(), keymap.args.uint()]
  const content = Buffer.alloc(size)
  // From 0 on: the position in the file is shared with the server, which has written it.
  const length = readSync(keymap.descriptors[0]!.fd, content, 0, size, 0)
  closeAll(keymap.descriptors)
  display.close()
  expect(format).toBe(1) // XKB_V1
  expect(content.toString('utf8', 0, length)).toBe('xkb_keymap { xkb_keycodes {}; };\0')
  expect(await leakedBy(server)).toBe(0)
})

interface Server {
  readonly path: string
  readonly version: string
  readonly output: Program
}

async function startServer(seed: number): Promise<Server> {
  const folder = temporaryFolder()
  const output = startProgram(program, [String(seed)], { env: { XDG_RUNTIME_DIR: folder } })
  const { version } = JSON.parse(await output.line()) as { version: string }
  return { path: join(folder, 'peer'), version, output }
}

/** Descriptors that it still has when its client has gone. */
async function leakedBy({ output }: Server): Promise<number> {
  const { leaked } = JSON.parse(await output.line()) as { leaked: number }
  expect(await output.exited).toBe(0)
  return leaked
}

/** Has `count` events sent, in bursts of which several are on their way at a time: it drops a client that lags behind. */
async function receiveEvents(
  path: string,
  options: DisplayOptions,
  onDescriptors: (came: number[], belong: number[], lost: number) => void,
): Promise<{ damaged: number[] }> {
  const display = await connectTo(path, options)
  const dice = new Dice(2)
  const damaged: number[] = []
  let asked = 0
  let received = 0
  await display.unlessClosed(
    new Promise<void>((resolve) => {
      const object = display.bind('pillion_peer', 1, {
        descriptors: kinds,
        onEvent({ opcode: kind, args, descriptors }) {
          const serial = args.uint()
          const array = args.array()
          if (serial !== received || Buffer.compare(array, arrayFor(serial, array.length)) !== 0) damaged.push(received)
          onDescriptors(descriptors.map(tokenOf), tokensFor(serial, kind), 0)
          closeAll(descriptors)
          received++
          if (received === count) resolve()
          else askForMore()
        },
      })
      const askForMore = () => {
        while (asked < count && asked - received < 100) {
          const events = Math.min(1 + dice.roll(40), count - asked)
          display.request(object, burstRequest, [events])
          asked += events
        }
      }
      askForMore()
    }),
  )
  display.close()
  return { damaged }
}

/** What the server has counted of our requests. */
async function reportOf(display: Display): Promise<number[]> {
  const report = await display.event((id) => {
    const { name } = display.globals.get('pillion_peer')!
    display.request(2, 0, [name, 'pillion_peer', 1, id])
    display.request(id, reportRequest)
  })
  return Array.from({ length: 5 }, () => report.uint())
}

function tokensFor(serial: number, kind: number): number[] {
  return Array.from({ length: kinds[kind] ?? 0 }, (_, i) => serial * 256 + i)
}

function arrayFor(serial: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => serial + i)
}

/** Where each event of pillion_peer begins, by its serial number. */
function startsOfEvents(bytes: Buffer): number[] {
  const starts: number[] = []
  let at = 0
  while (at + 8 <= bytes.length) {
    const { object, size } = new Arguments(bytes.subarray(at))
    if (object === 3) starts.push(at)
    at += size
  }
  return starts
}
