/**
 * D-Bus as Debian has it: dbus-daemon between us and a service by python3-dbus; libdbus itself at the other end of a
 * connection; and examples/dbus-inhibit.
 */
import { join, resolve } from 'node:path'
import { MessageType, parseMessage, serializeMessage } from 'd-bus-message-protocol'
import { BufferReader, parseTypes } from 'd-bus-type-system'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { Bus } from '../../examples/dbus-inhibit/bus.js'
import { dbus } from '../../src/framing/index.js'
import { Dice } from '../../src/framing/testing/index.js'
import { connect, type Frame, type FrameStream, listen } from '../../src/stream/index.js'
import { text } from '../support/streams.js'
import { closeAll, makeTokens, tokenOf } from '../support/tokens.js'
import { needsPeer, python, sourceOf, versionOf } from './support/peers.js'
import { leftOpenIn, openIn, startBus, startService } from './support/private-bus.js'
import { startProgram, temporaryFolder } from './support/program.js'
import { flawless, Scenario } from './support/results.js'

const peerName = 'dev.pillion.Peer'
const theirs = { destination: peerName, objectPath: '/dev/pillion/Peer', interfaceName: peerName }
const theBus = {
  destination: 'org.freedesktop.DBus',
  objectPath: '/org/freedesktop/DBus',
  interfaceName: 'org.freedesktop.DBus',
}

function decodeMessage(payload: Uint8Array) {
  return parseMessage(new BufferReader(Uint8Array.from(payload).buffer, { littleEndian: payload[0] === 0x6c }))
}

beforeEach((context) => needsPeer(context, 'dbus-daemon', 'python3-dbus'))

it('authenticates, says hello, owns a name and is found by it', async () => {
  await using bus = await Bus.connect((await startBus()).path)
  const name = 'dev.pillion.Test'
  const requested = await bus.call({ ...theBus, memberName: 'RequestName', types: parseTypes('su'), args: [name, 4] })
  const owner = await bus.call({ ...theBus, memberName: 'GetNameOwner', types: parseTypes('s'), args: [name] })
  const pid = await bus.call({
    ...theBus,
    memberName: 'GetConnectionUnixProcessID',
    types: parseTypes('s'),
    args: [name],
  })
  expect(requested.args).toEqual([1])
  expect(owner.args).toEqual([expect.stringMatching(/^:1\.\d+$/)])
  expect(pid.args).toEqual([process.pid])
})

it('is let in when it does not wait for the answers to what it says', async () => {
  const stream = await connect((await startBus()).path, { codec: dbus() })
  onTestFinished(() => stream.destroy())
  const uid = Buffer.from(String(process.geteuid?.())).toString('hex')
  for (const line of [`\0AUTH EXTERNAL ${uid}`, 'NEGOTIATE_UNIX_FD', 'BEGIN']) stream.send(Buffer.from(`${line}\r\n`))
  const hello = { messageType: MessageType.MethodCall, serial: 1, ...theBus, memberName: 'Hello' } as const
  stream.send(new Uint8Array(serializeMessage(hello)))
  const frames = stream[Symbol.asyncIterator]()
  const next = async () => ((await frames.next()).value as Frame).payload
  expect(text(await next())).toMatch(/^OK [\da-f]{32}\r\n$/)
  expect(text(await next())).toBe('AGREE_UNIX_FD\r\n')
  expect(decodeMessage(await next())).toMatchObject({ replySerial: 1, args: [expect.stringMatching(/^:1\./)] })
})

it('is told the bus’s errors as such', async () => {
  await using bus = await Bus.connect((await startBus()).path)
  await expect(bus.call({ ...theBus, memberName: 'NoSuchThing' })).rejects.toThrow(/UnknownMethod/)
})

/** Every seventh or so of 11,600 calls bears or is answered by 1 to 16 descriptors; 64 are under way at a time. */
const plainCalls = 10_000
const bearingCalls = 1_600

type Step = { readonly first: number; readonly count: number } | { readonly plain: number }

function shuffled(seed: number): Step[] {
  const dice = new Dice(seed)
  const steps: Step[] = []
  let plain = 0
  let bearing = 0
  while (plain < plainCalls || bearing < bearingCalls) {
    const bears = dice.roll(plainCalls + bearingCalls - plain - bearing) < bearingCalls - bearing
    steps.push(bears ? { first: 16 * bearing, count: (bearing++ % 16) + 1 } : { plain: plain++ })
  }
  return steps
}

async function inFlight(steps: readonly Step[], most: number, work: (step: Step) => Promise<void>): Promise<void> {
  const left = steps[Symbol.iterator]()
  const worker = async () => {
    for (const step of left) await work(step)
  }
  await Promise.all(Array.from({ length: most }, worker))
}

async function callPlain(bus: Bus, scenario: Scenario, number: number): Promise<void> {
  const { args, descriptors } = await bus.call({
    ...theirs,
    memberName: 'Plain',
    types: parseTypes('u'),
    args: [number],
  })
  expect(args).toEqual([number])
  scenario.message(descriptors, [])
}

interface Counts {
  readonly messages: number
  readonly descriptors: number
  readonly misassigned: number
  readonly lost: number
  readonly open: number
}

async function seenBy(bus: Bus): Promise<Counts> {
  const { args } = await bus.call({ ...theirs, memberName: 'Seen' })
  const [messages, descriptors, misassigned, lost, open] = args as number[]
  return { messages, descriptors, misassigned, lost, open } as Counts
}

/** Runs `work` over a bus with the service on it, and looks at what anybody has left open. */
async function overBus(
  direction: 'in' | 'out',
  work: (bus: Bus, scenario: Scenario) => Promise<void>,
): Promise<unknown> {
  const privateBus = await startBus()
  const service = await startService(privateBus)
  const daemonBefore = openIn(privateBus.daemon)
  const version = `${versionOf('dbus-daemon')}, ${versionOf('python3-dbus')}`
  const scenario = new Scenario({ peer: 'dbus-daemon, python3-dbus', version, direction })
  {
    await using bus = await Bus.connect(privateBus.path)
    await work(bus, scenario)
    scenario.leakedByPeer += Math.max(0, (await seenBy(bus)).open - service.open)
  }
  scenario.leakedByPeer += await leftOpenIn(privateBus.daemon, daemonBefore)
  return scenario.finish()
}

it('sends 1 to 16 descriptors a message to a service among 10,000 messages without', async () => {
  const row = await overBus('out', async (bus, scenario) => {
    await inFlight(shuffled(1), 64, async (step) => {
      if ('plain' in step) return callPlain(bus, scenario, step.plain)
      const numbers = Array.from({ length: step.count }, (_, i) => step.first + i)
      const tokens = makeTokens(numbers)
      const args = [numbers, tokens.map((_, i) => i)] as const
      const called = bus.call({ ...theirs, memberName: 'Take', types: parseTypes('auah'), args }, tokens)
      closeAll(tokens)
      await called
      scenario.frames++
    })
    const seen = await seenBy(bus)
    expect(seen.messages).toBe(plainCalls + bearingCalls)
    scenario.descriptors = seen.descriptors
    scenario.misassigned += seen.misassigned
    scenario.lost += seen.lost
  })
  expect(row).toMatchObject({ frames: 11_600, descriptors: 13_600, ...flawless })
})

it('receives 1 to 16 descriptors a message from a service among 10,000 messages without', async () => {
  const row = await overBus('in', async (bus, scenario) => {
    await inFlight(shuffled(2), 64, async (step) => {
      if ('plain' in step) return callPlain(bus, scenario, step.plain)
      const { first, count } = step
      const { args, descriptors } = await bus.call({
        ...theirs,
        memberName: 'Give',
        types: parseTypes('uu'),
        args: [first, count],
      })
      expect(args[0]).toEqual(descriptors.map((_, i) => i))
      scenario.message(
        descriptors.map(tokenOf),
        Array.from({ length: count }, (_, i) => first + i),
      )
      closeAll(descriptors)
    })
  })
  expect(row).toMatchObject({ frames: 11_600, descriptors: 13_600, ...flawless })
})

/** The other side of the text phase, and of calls: gives back what it is sent. */
async function serveOne(stream: FrameStream, scenario: Scenario): Promise<void> {
  const say = (line: string) => stream.send(Buffer.from(`${line}\r\n`))
  let serial = 0
  let begun = false
  for await (const frame of stream) {
    if (!begun) {
      const line = text(frame.payload).replace('\0', '').trimEnd()
      begun = line === 'BEGIN'
      if (line.startsWith('AUTH')) say(line.startsWith('AUTH EXTERNAL ') ? `OK ${'0'.repeat(32)}` : 'REJECTED EXTERNAL')
      else if (line === 'NEGOTIATE_UNIX_FD') say('AGREE_UNIX_FD')
      else if (!begun) say('ERROR')
      continue
    }
    const { serial: replySerial, ...call } = decodeMessage(frame.payload)
    const tokens = frame.descriptors.map(tokenOf)
    scenario.message(
      tokens,
      tokens.map((_, i) => (tokens[0] ?? 0) + i),
    )
    // The call's signature and arguments are the answer's too.
    const answer = { ...call, messageType: MessageType.MethodReturn, serial: ++serial, replySerial } as const
    stream.send(new Uint8Array(serializeMessage({ ...answer, unixFds: tokens.length })), frame.descriptors)
    frame[Symbol.dispose]()
  }
}

it('is the server that libdbus connects to, and gives it back what it sends', async () => {
  const path = join(temporaryFolder(), 'direct')
  const scenario = new Scenario({
    peer: 'libdbus, no bus between',
    version: versionOf('dbus-daemon'),
    direction: 'both',
  })
  const server = await listen(path, { codec: dbus({ auth: 'server' }) })
  const rounds = 4_096
  const client = startProgram(python, [sourceOf('dbus_service.py'), 'direct', `unix:path=${path}`, String(rounds)])
  for await (const stream of server) {
    await serveOne(stream, scenario)
    stream.destroy()
    break
  }
  const [descriptors, misassigned, lost, leaked] = (await client.line()).split(' ').map(Number) as [
    number,
    number,
    number,
    number,
  ]
  expect(scenario.descriptors).toBe(descriptors)
  scenario.descriptors += descriptors
  scenario.misassigned += misassigned
  scenario.lost += lost
  scenario.leakedByPeer += leaked
  await client.exited
  expect(await scenario.finish()).toMatchObject({ frames: 4_096, descriptors: 8_704, ...flawless })
})

it('refuses to send what libdbus would disconnect for', async () => {
  await using bus = await Bus.connect((await startBus()).path)
  const tokens = makeTokens(Array.from({ length: 17 }, (_, i) => i))
  onTestFinished(() => closeAll(tokens))
  const call = { ...theBus, memberName: 'GetId' }
  expect(() => bus.call(call, tokens)).toThrow(/17/)
  expect((await bus.call(call)).args).toHaveLength(1)
})

it('holds an inhibitor lock by a descriptor, as examples/dbus-inhibit does', async () => {
  const privateBus = await startBus()
  const service = await startService(privateBus)
  const example = startProgram(
    process.execPath,
    ['--import', 'tsx', resolve(import.meta.dirname, '../../examples/dbus-inhibit/main.ts'), '0.1'],
    { env: { DBUS_SYSTEM_BUS_ADDRESS: privateBus.address, TSX_DISABLE_CACHE: '1' } },
  )
  expect(await example.line()).toBe('inhibited: a pipe')
  expect(await service.program.line()).toBe('inhibited sleep:idle dbus-inhibit block')
  expect(await example.line()).toBe('released')
  expect(await service.program.line()).toBe('released dbus-inhibit')
  expect(await example.exited).toBe(0)
})
