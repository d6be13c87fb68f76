/**
 * The addon and its types: the one place where TypeScript meets native code.
 *
 * Nothing here is public. The native side decides nothing and validates nothing: the classes of this folder do.
 */
import { addonPath } from './addon-path.js'
import { load } from './node-modules.js'
import type { SystemCalls } from './system-calls.js'

/** Indexes into `control`; native/environment.h has the same. */
export const Control = {
  slabCursor: 0,
  consumed: 1,
  lent: 2,
  start: 3,
  end: 4,
  sets: 5,
  status: 6,
  sentMessages: 7,
  sendError: 8,
  receiveCalls: 9,
} as const

/** What `control[Control.status]` says besides a negative errno; native/environment.h explains it. */
export const Status = { more: 0, endOfFile: 1, pressure: 2, noRoom: 3, bytesGone: 4, unstamped: 5 } as const

export const Events = { none: 0, readable: 1, writable: 2 } as const

export interface NativeSocket {
  /** Sets the events to be told of; 0 or a negative errno. */
  watch(events: number): number
  /**
   * The next bytes of the stream go here, and into the slab once it is full: `ahead` bytes at most at a time, 0: what it
   * has room for. undefined takes the memory back. Where boundaries
   * are kept, the other way round: what of a message the slab has no room for, and both together at most its length.
   */
  lend(memory: Uint8Array | undefined, ahead: number): void
  /**
   * Sends the first `messages` rows of `plan`, whose pieces lie in `chunks`, or all in one; as many as one system call takes.
   * Returns the bytes sent; `control` has the messages begun and the errno.
   */
  send(messages: number, chunks: readonly Uint8Array[] | Uint8Array): number
  /** Sends bytes[start, start + length) without descriptors. Returns the bytes sent, or a negative errno. */
  sendRun(bytes: Uint8Array, start: number, length: number): number
  shutDown(): number
  /** @param headroom free places in the descriptor table without which nothing is received, 0: not asked
   *  @param busyPoll µs to spin for more after a wake-up's work
   *  @param tellsReceives a row for each recvmsg, also where it returned no descriptors */
  configure(headroom: number, busyPoll: number, acceptDescriptors: boolean, tellsReceives: boolean): void
  setRef(ref: boolean): void
  /** Bytes to be presented in front of those that are received next. */
  preload(bytes: Uint8Array): void
  /**
   * Lets go of the descriptor, which stays open and in the ledger. Returns the bytes that were received and not consumed;
   * undefined if they are gone, and nothing was done. Not while a wake-up is being presented.
   */
  release(): Uint8Array | undefined
  close(): void
}

export interface NativeWatcher {
  watch(on: boolean): number
  setRef(ref: boolean): void
  close(): void
}

export interface Binding extends SystemCalls {
  readonly control: Int32Array
  /**
   * Rows: position of the last byte's end within the wake-up's bytes, truncated (0, 1), count, descriptors. Where
   * boundaries are kept, a row for each message, with its length as it was sent before the descriptors.
   */
  readonly received: Int32Array
  /** Rows: pieces, descriptors, close them when sent (0, 1); a piece: chunk, start, length; descriptors. */
  readonly plan: Int32Array
  setSlab(slab: Uint8Array): void
  /** Opens the thread's set of edge-triggered descriptors, if it is not open; 0 or a negative errno. It stays open. */
  openEdgeSet(): number
  /** Whether so many descriptors (or a quarter of the table, if less) fit into the table. */
  hasHeadroom(descriptors: number): boolean
  /**
   * Of all sockets of the thread: `this` is the one that is ready, and there are no arguments, since everything is in
   * `control`.
   */
  setCallbacks(onReadable: () => void, onWritable: () => void): void
  /** Owns the descriptor, which is in the ledger. `keepsMessages`: the kernel keeps boundaries. */
  readonly Socket: new (
    fd: number,
    edge: boolean,
    keepsMessages: boolean,
  ) => NativeSocket
  readonly Watcher: new (fd: number, onReady: () => void) => NativeWatcher
  /**
   * Whether it is one that can be read, `length` bytes long at least, and sealed against shrinking and writing. 1: it may be mapped
   * here; 0: it is to be read; or a negative errno.
   */
  checkMemfd(fd: number, length: number): number
  /** A checked memfd's first `length` bytes as memory, privately mapped, or a negative errno. */
  mapMemfd(fd: number, length: number): ArrayBuffer | number
  /** Fills `memory` with a checked memfd's beginning; 0 or a negative errno. */
  readMemfd(fd: number, memory: Uint8Array): number
}

export const binding: Binding = load(addonPath)
