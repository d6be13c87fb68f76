/**
 * libwayland's client at the other end, pillion as the compositor: the client makes objects, and sends descriptors to
 * them together with what made them.
 */
import { readSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, beforeEach, expect, it } from 'vitest'
import { Arguments, message } from '../../examples/wayland-screenshot/wire.js'
import { wayland } from '../../src/framing/index.js'
import { type Descriptor, type FrameStream, listen } from '../../src/stream/index.js'
import { isMet, needs } from '../support/needs.js'
import { readinesses } from '../support/streams.js'
import { buildPeer } from './support/build-peer.js'
import { startProgram, temporaryFolder } from './support/program.js'
import { flawless, Scenario } from './support/results.js'

const header = 'wayland-client.h'
const pools = 3_000
/** Of wayland-client.c: the size of pool 0. */
const smallest = 4096
const [displayId, registryId] = [1, 2]
let program = ''

beforeAll(async () => {
  if (isMet({ header })) program = await buildPeer('wayland-client.c', ['-lwayland-client'])
})

beforeEach((context) => needs(context, { header }))

it.each(readinesses)(
  'knows each pool by its memory, sent with what made its wl_shm, %s readiness',
  async (readiness) => {
    const folder = temporaryFolder()
    const shms = new Set<number>()
    const makesPool = (object: number, opcode: number) => shms.has(object) && opcode === 0
    const codec = wayland((object, opcode, request) => {
      if (object === registryId && opcode === 0) shms.add(boundBy(request))
      return makesPool(object, opcode) ? 1 : 0
    })
    const server = await listen(join(folder, 'peer'), { codec, readiness })
    const client = startProgram(program, [String(pools)], { env: { XDG_RUNTIME_DIR: folder } })
    const { version } = JSON.parse(await client.line()) as { version: string }
    const scenario = new Scenario({ peer: `libwayland-client, ${readiness}`, version, direction: 'in' })
    let others = 0
    for await (const stream of server) {
      for await (const frame of stream) {
        const { object, opcode } = new Arguments(frame.payload)
        if (makesPool(object, opcode)) {
          scenario.message(frame.descriptors.map(numberIn), [numberOf(frame.payload)], frame.lost)
        } else {
          others++
          if (object === displayId) answer(stream, frame.payload)
        }
        frame[Symbol.dispose]()
      }
      stream.destroy() // the client has gone, and nothing is left to be told to it
      break
    }
    await server.close()
    const { leaked } = JSON.parse(await client.line()) as { leaked: number }
    expect(await client.exited).toBe(0)
    expect(scenario.frames).toBe(pools)
    scenario.frames += others
    scenario.leakedByPeer = leaked
    expect(await scenario.finish()).toMatchObject({ ...flawless, descriptors: pools })
  },
)

/** The new object's id in wl_registry.bind(name, interface, version, id). */
function boundBy(request: Uint8Array): number {
  const args = new Arguments(request)
  args.uint()
  args.string()
  args.uint()
  return args.uint()
}

/** A pool's number by its size, in wl_shm.create_pool(id, descriptor, size). */
function numberOf(request: Uint8Array): number {
  const args = new Arguments(request)
  args.uint()
  return args.int() - smallest
}

/** A pool's number by what lies in its memory. */
function numberIn(file: Descriptor): number {
  const content = Buffer.alloc(4)
  readSync(file.fd, content, 0, 4, 0)
  return content.readUInt32LE()
}

/** Of the display: sync, or get_registry, which is told of the one global. */
function answer(stream: FrameStream, request: Uint8Array): void {
  const args = new Arguments(request)
  const id = args.uint()
  stream.send(args.opcode === 0 ? message(id, 0, 0) : message(id, 0, 1, 'wl_shm', 1))
}
