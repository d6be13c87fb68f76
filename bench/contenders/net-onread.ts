/**
 * node:net at an expert's best: one loop encodes into a buffer of 64 KiB that is written whole; `onread` receives into one
 * buffer, and frames are parsed in it, without an object a frame. Of a frame larger than that buffer the rest is received
 * into its own memory by `net-into`, which is otherwise the same.
 */
import { once } from 'node:events'
import { type ConnectOpts, createServer, Socket, type SocketConstructorOpts } from 'node:net'
import { carryFrames } from '../roles/frames.js'
import type { Link, OnFrame } from '../roles/link.js'
import type { Setting } from '../roles/setting.js'
import { headerBytes, LengthParser } from './length-parser.js'
import { connected, drained } from './net-sockets.js'

const gatherBytes = 64 * 1024
/** One for all connections: what lies in it is done with when the callback returns. */
const received = Buffer.allocUnsafeSlow(64 * 1024)

interface WithHandle {
  _handle: unknown
}

function linkOf(socket: Socket): Link {
  /** Resolves when the socket is done with the bytes. */
  const written = (bytes: Buffer): Promise<void> => new Promise((resolve) => socket.write(bytes, () => resolve()))
  const writeLarge = (payload: Buffer): boolean => {
    const header = Buffer.allocUnsafe(headerBytes)
    header.writeUInt32LE(payload.length)
    socket.cork()
    socket.write(header)
    const took = socket.write(payload)
    socket.uncork()
    return took
  }
  return {
    send: (payload) => {
      const frame = Buffer.allocUnsafe(headerBytes + payload.length)
      frame.writeUInt32LE(payload.length)
      frame.set(payload, headerBytes)
      socket.write(frame)
    },
    flood: async (next) => {
      const batch = Buffer.allocUnsafeSlow(gatherBytes)
      let at = 0
      for (let payload = next(); payload !== undefined; payload = next()) {
        const { length } = payload
        if (length > gatherBytes / 4) {
          if (!writeLarge(payload) && socket.writableNeedDrain) await drained(socket)
          continue
        }
        if (at + headerBytes + length > batch.length) {
          await written(batch.subarray(0, at))
          at = 0
        }
        batch[at] = length & 0xff
        batch[at + 1] = (length >> 8) & 0xff
        batch[at + 2] = 0
        batch[at + 3] = 0
        batch.set(payload, at + headerBytes)
        at += headerBytes + length
      }
      if (at > 0) await written(batch.subarray(0, at))
    },
  }
}

/** The types know `onread` only where one connects. */
function withOnread({ contender }: Setting, onFrame: OnFrame): SocketConstructorOpts {
  const parser = new LengthParser(onFrame)
  const inPlace: ConnectOpts['onread'] = {
    buffer: received,
    callback: (length, bytes) => {
      parser.push(bytes, length)
      return true
    },
  }
  const intoFrames: ConnectOpts['onread'] = {
    buffer: () => parser.rest ?? received,
    callback: (length, bytes) => {
      if (bytes.buffer === received.buffer) parser.push(bytes, length)
      else parser.advance(length)
      return true
    },
  }
  return { onread: contender === 'net-into' ? intoFrames : inPlace } as SocketConstructorOpts
}

async function connect(setting: Setting, onFrame: OnFrame): Promise<Link> {
  return linkOf(await connected(() => new Socket(withOnread(setting, onFrame)).connect({ path: setting.path })))
}

async function listen(setting: Setting, accept: (link: Link) => OnFrame): Promise<void> {
  // A server has no `onread`: the accepted handle gets a socket that has it.
  const server = createServer({ pauseOnConnect: true }, (accepted) => {
    const owner = accepted as unknown as WithHandle
    const handle = owner._handle
    owner._handle = null
    let onFrame: OnFrame | undefined
    const options = withOnread(setting, (bytes, start, end, descriptors) => onFrame?.(bytes, start, end, descriptors))
    const socket = new Socket({ ...options, handle } as SocketConstructorOpts)
    socket.on('error', () => {}) // the client ends as it likes
    onFrame = accept(linkOf(socket))
    socket.read(0) // begins to read: what onread receives never flows
  })
  server.listen({ path: setting.path, backlog: 511 })
  await once(server, 'listening')
}

await carryFrames({ listen, connect })
