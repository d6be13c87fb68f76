/**
 * Bare transport sockets for tests: what came, in the order in which it was told, and nothing decided about it.
 *
 * Nothing here waits by the clock: what is waited for is a condition, looked at once a turn of the loop.
 */
import { onTestFinished } from 'vitest'
import type { PillionError } from '../../src/errors.js'
import {
  closeDescriptors,
  pairUnix,
  type Received,
  UnixSocket,
  type UnixSocketOptions,
} from '../../src/transport/index.js'
import type { SocketHandlers } from '../../src/transport/socket-handlers.js'

export const readinesses = ['level', 'edge'] as const

export interface Seen {
  bytes: number
  text: string
  sets: number
  wakeUps: number
  ended: boolean
  receiveError: PillionError | undefined
  sendError: PillionError | undefined
  refused: number[]
}

export interface Watched {
  readonly socket: UnixSocket
  readonly seen: Seen
}

/**
 * A socket that consumes everything, closes what descriptors come, and notes it; closed when the test has finished,
 * unless it is not `held`.
 */
export function watched(
  fd: number,
  options: UnixSocketOptions = {},
  handlers: Partial<SocketHandlers> = {},
  held = true,
): Watched {
  const seen: Seen = {
    bytes: 0,
    text: '',
    sets: 0,
    wakeUps: 0,
    ended: false,
    receiveError: undefined,
    sendError: undefined,
    refused: [],
  }
  const socket = new UnixSocket(
    fd,
    {
      onReceived: (received) => note(seen, received),
      onDeliver: () => {},
      onEnd: () => {
        seen.ended = true
      },
      onReceiveError: (error) => {
        seen.receiveError = error
      },
      onSendError: (error) => {
        seen.sendError = error
      },
      onRefused: ({ group }) => void seen.refused.push(group),
      onSent: () => {},
      onPressure: () => {},
      ...handlers,
    },
    options,
  )
  if (held) onTestFinished(() => socket.close())
  return { socket, seen }
}

export function watchedPair(
  options: UnixSocketOptions = {},
  handlers: Partial<SocketHandlers> = {},
): [Watched, Watched] {
  const [left, right] = pairUnix()
  return [watched(left, options, handlers), watched(right, options)]
}

export function note(seen: Seen, received: Received): number {
  seen.wakeUps++
  seen.bytes += received.lent + (received.end - received.start)
  if (seen.text.length < 4096)
    seen.text += Buffer.from(received.bytes.subarray(received.start, received.end)).toString('latin1')
  seen.sets += received.sets.length
  for (const set of received.sets) closeDescriptors(set.fds)
  return received.end - received.start
}

/** Queues plain bytes and sends them, as far as the kernel takes them. */
export function sendPlain(socket: UnixSocket, bytes: Uint8Array | string): void {
  const memory = typeof bytes === 'string' ? Buffer.from(bytes) : bytes
  socket.queue.pushPlain(memory, 0, memory.length, 0)
  socket.flush()
}

/** Queues `bytes` with borrowed descriptors and sends them. */
export function sendBearing(socket: UnixSocket, bytes: Uint8Array | string, fds: readonly number[], group = 1): void {
  const memory = typeof bytes === 'string' ? Buffer.from(bytes) : bytes
  const [start, end] = [0, memory.length]
  socket.queue.push({
    bytes: memory,
    start,
    end,
    fds,
    owned: false,
    startsSend: true,
    endsSend: false,
    begins: true,
    group,
  })
  socket.flush()
}

/** Until it holds, looked at once a turn of the loop. */
export async function until(holds: () => boolean, what = 'it'): Promise<void> {
  const deadline = performance.now() + 5_000
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`${what} did not come to hold within 5 s`)
    await new Promise(setImmediate)
  }
}

/** So many turns of the loop: whatever is ready has been dealt with. */
export async function turns(count = 5): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(setImmediate)
}

/** A thread's set of edge-triggered descriptors stays open for good: open it before a test could be blamed. */
export function openEdgeSet(): void {
  for (const fd of pairUnix()) {
    const { socket } = plain(fd)
    socket.resume()
    socket.close()
  }
}

/** Takes all bytes in, and looks at nothing. */
export const ignoring: SocketHandlers = {
  onReceived: ({ start, end }) => end - start,
  onEnd() {},
  onReceiveError() {},
  onSendError() {},
  onRefused() {},
}

function plain(fd: number): { socket: UnixSocket } {
  return { socket: new UnixSocket(fd, ignoring, { readiness: 'edge' }) }
}
