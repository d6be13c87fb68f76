/**
 * Listening and connecting by node:net, for the contenders that are written on it.
 */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'

export async function listenByNet(path: string, onSocket: (socket: Socket) => void): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => {}) // the client ends as it likes
    onSocket(socket)
  })
  server.listen({ path, backlog: 511 })
  await once(server, 'listening')
}

export function connectByNet(path: string): Promise<Socket> {
  return connected(() => connect({ path }))
}

/** Connects; again while the listener's backlog is full, which node:net reports as EAGAIN. */
export async function connected(connecting: () => Socket): Promise<Socket> {
  for (;;) {
    const socket = connecting()
    try {
      await once(socket, 'connect')
      return socket
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      await setTimeout(1)
    }
  }
}

/** Resolves when the socket takes more again. */
export function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('drain', () => resolve()))
}
