/**
 * child_process IPC: `child-json`, `child-advanced` (serialization: 'advanced'), and `child-handle`, which passes a
 * descriptor by passing a socket. The client starts its server itself.
 *
 * JSON has no bytes: base64, as one would.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { carryFrames } from '../roles/frames.js'
import type { Link, OnFrame } from '../roles/link.js'
import { BenchFailure } from '../roles/obey.js'
import type { Setting } from '../roles/setting.js'

/** Messages between two looks at whether they went: a callback each would cost more. */
const window = 64

/** Either end of the channel. */
type Channel = ChildProcess | NodeJS.Process

type Message = string | Uint8Array

/** Needed while descriptors are passed: the socket that is sent over and over. */
let passed: Socket | undefined

function linkOf(channel: Channel, setting: Setting): Link {
  const json = setting.contender !== 'child-advanced'
  const messageOf = (payload: Buffer): Message => (json ? payload.toString('base64') : payload)
  const post = (payload: Buffer, descriptors: number, sent?: () => void): void => {
    if (descriptors > 1) throw new BenchFailure('child_process passes one descriptor a message')
    const handle = descriptors === 0 ? undefined : passed
    channel.send?.(messageOf(payload), handle, { keepOpen: true }, sent)
  }
  return {
    send: (payload, descriptors) => post(payload, descriptors),
    flood: async (next) => {
      for (let i = 1, payload = next(); payload !== undefined; payload = next(), i++) {
        const frame = payload
        if (i % window !== 0) post(frame, setting.descriptors)
        else await new Promise<void>((resolve) => post(frame, setting.descriptors, resolve))
      }
    },
  }
}

function receive(channel: Channel, onFrame: OnFrame): void {
  channel.on('message', (message: Message, socket?: Socket) => {
    const bytes = typeof message === 'string' ? Buffer.from(message, 'base64') : message
    socket?.destroy()
    onFrame(bytes, 0, bytes.length, socket === undefined ? 0 : 1)
  })
}

/** A connected socket to be passed. */
async function openPassed({ path, descriptors, role }: Setting): Promise<void> {
  if (descriptors === 0) return
  const server = createServer(() => {}).listen(`${path}-${role}`)
  await once(server, 'listening')
  passed = connect(`${path}-${role}`)
  await once(passed, 'connect')
}

await carryFrames({
  listen: async (setting, accept) => {
    await openPassed(setting)
    receive(process, accept(linkOf(process, setting)))
    process.on('disconnect', () => process.exit(0))
    process.send?.('ready')
  },
  connect: async (setting, onFrame) => {
    await openPassed(setting)
    const server = fork(fileURLToPath(import.meta.url), [JSON.stringify({ ...setting, role: 'server' })], {
      execPath: 'taskset',
      execArgv: ['-c', String(setting.serverCpu), process.execPath],
      serialization: setting.contender === 'child-advanced' ? 'advanced' : 'json',
    })
    await once(server, 'message')
    receive(server, onFrame)
    return linkOf(server, setting)
  },
})
