/**
 * node:net, written well within its streams: writes corked until the mark is reached, so that they go out by one writev;
 * frames parsed in the chunks, as views.
 */
import type { Socket } from 'node:net'
import { carryFrames } from '../roles/frames.js'
import type { Link, OnFrame } from '../roles/link.js'
import { headerBytes, LengthParser } from './length-parser.js'
import { connectByNet, drained, listenByNet } from './net-sockets.js'

function linkOf(socket: Socket): Link {
  const write = (payload: Buffer): boolean => {
    const header = Buffer.allocUnsafe(headerBytes)
    header.writeUInt32LE(payload.length)
    socket.write(header)
    return socket.write(payload)
  }
  return {
    send: (payload) => {
      socket.cork()
      write(payload)
      socket.uncork()
    },
    flood: async (next) => {
      socket.cork()
      for (let payload = next(); payload !== undefined; payload = next()) {
        if (write(payload)) continue
        socket.uncork()
        if (socket.writableNeedDrain) await drained(socket)
        socket.cork()
      }
      socket.uncork()
    },
  }
}

function receive(socket: Socket, onFrame: OnFrame): void {
  // A Buffer for each frame, as its consumer would be given one.
  const parser = new LengthParser((bytes, start, end) => {
    const payload = bytes.subarray(start, end)
    onFrame(payload, 0, payload.length, 0)
  })
  socket.on('data', (chunk: Buffer) => parser.push(chunk, chunk.length))
}

await carryFrames({
  listen: ({ path }, accept) => listenByNet(path, (socket) => receive(socket, accept(linkOf(socket)))),
  connect: async ({ path }, onFrame) => {
    const socket = await connectByNet(path)
    receive(socket, onFrame)
    return linkOf(socket)
  },
})
