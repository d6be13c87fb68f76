/**
 * node:net as most write it first: a header and a payload, two writes a frame; chunks joined until a frame is whole.
 */
import type { Socket } from 'node:net'
import { carryFrames } from '../roles/frames.js'
import type { Link, OnFrame } from '../roles/link.js'
import { connectByNet, drained, listenByNet } from './net-sockets.js'

function linkOf(socket: Socket): Link {
  const write = (payload: Buffer): boolean => {
    const header = Buffer.alloc(4)
    header.writeUInt32LE(payload.length)
    socket.write(header)
    return socket.write(payload)
  }
  return {
    send: write,
    flood: async (next) => {
      for (let payload = next(); payload !== undefined; payload = next()) {
        if (!write(payload)) await drained(socket)
      }
    },
  }
}

function receive(socket: Socket, onFrame: OnFrame): void {
  let rest: Buffer = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 4) {
      const end = 4 + rest.readUInt32LE(0)
      if (rest.length < end) break
      const payload = rest.subarray(4, end)
      rest = rest.subarray(end)
      onFrame(payload, 0, payload.length, 0)
    }
  })
}

await carryFrames({
  listen: ({ path }, accept) => listenByNet(path, (socket) => receive(socket, accept(linkOf(socket)))),
  connect: async ({ path }, onFrame) => {
    const socket = await connectByNet(path)
    receive(socket, onFrame)
    return linkOf(socket)
  },
})
