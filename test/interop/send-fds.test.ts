/**
 * Peers that know nothing but sendmsg and recvmsg, in the forms that their languages give them: Python's send_fds and
 * recv_fds, Go's net.UnixConn. Lines without any frame (`raw`), and lines behind their length (`prefixed`).
 *
 * What message i is and bears, both sides work out by themselves: peers/fds.py says it first.
 */
import { beforeEach, describe, expect, it } from 'vitest'
import { lengthPrefixed, raw } from '../../src/framing/index.js'
import { adopt, type FrameStream, type StreamOptions } from '../../src/stream/index.js'
import { adoptOwned, closeDescriptors } from '../../src/transport/descriptor.js'
import { pairUnix } from '../../src/transport/index.js'
import { destroyedAfterTest, readinesses } from '../support/streams.js'
import { closeAll, makeTokens, tokenOf } from '../support/tokens.js'
import { buildPeer } from './support/build-peer.js'
import { needsPeer, type PeerName, python, sourceOf, versionOf } from './support/peers.js'
import { type Program, startProgram } from './support/program.js'
import { flawless, Scenario } from './support/results.js'

type Form = 'raw' | 'prefixed' | 'messages'

const total = 2_000
/** Over a SOCK_SEQPACKET a message is a frame, and there is no codec. */
const options: Readonly<Record<Form, () => StreamOptions>> = {
  raw: () => ({ codec: raw() }),
  prefixed: () => ({ codec: lengthPrefixed() }),
  messages: () => ({ type: 'seqpacket' }),
}
const languages = [
  {
    language: 'Python socket.send_fds',
    needed: 'python3',
    command: async () => [python, sourceOf('fds.py')],
    forms: ['raw', 'prefixed', 'messages'],
  },
  {
    language: 'Go net.UnixConn',
    needed: 'gccgo',
    command: async () => [await buildPeer('fds.go')],
    forms: ['raw', 'prefixed', 'messages'],
  },
] as const satisfies readonly {
  language: string
  needed: PeerName
  command: () => Promise<string[]>
  forms: readonly Form[]
}[]

function content(i: number): string {
  return `${i} ${'x'.repeat(i % 25 === 19 ? 200_000 : (i * 7919) % 5_003)}\n`
}

function numbersOf(form: Form, i: number): number[] {
  if (form === 'raw' ? i % 2 === 1 : i % 4 !== 3) return []
  const count = i % 200 === 199 || i % 200 === 100 ? 253 : (i % 33) + 1
  return Array.from({ length: count }, (_, k) => 256 * i + k)
}

const descriptorsIn = (form: Form): number =>
  Array.from({ length: total }, (_, i) => numbersOf(form, i).length).reduce((sum, count) => sum + count, 0)

describe.each(languages)('$language', ({ language, needed, command, forms }) => {
  beforeEach((context) => needsPeer(context, needed))

  async function start(task: 'send' | 'receive', form: Form, readiness: 'level' | 'edge') {
    const [program, ...args] = await command()
    const direction = task === 'send' ? 'in' : 'out'
    const scenario = new Scenario({ peer: `${language}, ${form}, ${readiness}`, version: versionOf(needed), direction })
    const [ours, theirs] = pairUnix(options[form]().type)
    const peer = startProgram(program!, [...args, task, form, String(total)], { descriptors: [theirs] })
    closeDescriptors([theirs])
    const stream = destroyedAfterTest(adopt(adoptOwned(ours), { ...options[form](), readiness }))
    return { scenario, peer, stream }
  }

  for (const readiness of readinesses) {
    for (const form of forms) {
      it(`finds the descriptors of each message that we send ${form}, ${readiness}`, async () => {
        const { scenario, peer, stream } = await start('receive', form, readiness)
        for (let i = 0; i < total; i++) {
          const tokens = makeTokens(numbersOf(form, i))
          if (!stream.send(Buffer.from(content(i)), tokens, { transfer: true })) await stream.drained()
          scenario.frames++
        }
        await stream.end()
        await addCountsOf(peer, scenario)
        stream.destroy()
        expect(await scenario.finish()).toMatchObject({ frames: total, descriptors: descriptorsIn(form), ...flawless })
      })

      it(`has the descriptors of each message that it sends ${form} found by us, ${readiness}`, async () => {
        const { scenario, peer, stream } = await start('send', form, readiness)
        if (form === 'raw') await readLines(stream, scenario)
        else await readFrames(stream, scenario, form)
        await stream.end()
        stream.destroy()
        const sent = scenario.descriptors
        scenario.descriptors = 0
        await addCountsOf(peer, scenario)
        expect(sent).toBe(scenario.descriptors)
        expect(await scenario.finish()).toMatchObject({ frames: total, descriptors: descriptorsIn(form), ...flawless })
      })
    }
  }
})

/** What the peer prints in the end. */
async function addCountsOf(peer: Program, scenario: Scenario): Promise<void> {
  const [descriptors, misassigned, lost, leaked] = (await peer.line()).split(' ').map(Number)
  expect(await peer.exited).toBe(0)
  scenario.descriptors += descriptors!
  scenario.misassigned += misassigned!
  scenario.lost += lost!
  scenario.leakedByPeer += leaked!
}

async function readFrames(stream: FrameStream, scenario: Scenario, form: Form): Promise<void> {
  let i = 0
  for await (const { payload, descriptors, lost } of stream) {
    expect(Buffer.from(payload).equals(Buffer.from(content(i)))).toBe(true)
    scenario.message(descriptors.map(tokenOf), numbersOf(form, i++), lost)
    closeAll(descriptors)
  }
}

/** Of a stream without frames: descriptors belong to the line in which the bytes end that they came with. */
async function readLines(stream: FrameStream, scenario: Scenario): Promise<void> {
  const came = new Map<number, number[]>()
  const chunks: Buffer[] = []
  let lines = 0
  let lost = 0
  for await (const frame of stream) {
    const chunk = Buffer.from(frame.payload)
    chunks.push(chunk)
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++
    lost += frame.lost
    if (frame.descriptors.length === 0) continue
    const line = chunk.at(-1) === 10 ? lines - 1 : lines
    came.set(line, [...(came.get(line) ?? []), ...frame.descriptors.map(tokenOf)])
    frame[Symbol.dispose]()
  }
  scenario.lost += lost
  const expected = Buffer.from(Array.from({ length: total }, (_, i) => content(i)).join(''))
  expect(Buffer.concat(chunks).equals(expected)).toBe(true)
  for (let i = 0; i < lines; i++) scenario.message(came.get(i) ?? [], numbersOf('raw', i))
}
