/**
 * The types of the addon's free functions (native/system_calls.h), and the few kernel numbers they are used with.
 *
 * A failure is a negative errno in place of the result; whoever calls makes the typed error of it. "Owned" means
 * entered in the ledger of this JavaScript environment: closed with it, and closed only once.
 */

export type DescriptorKind = 'file' | 'directory' | 'socket' | 'pipe' | 'memfd' | 'character' | 'block' | 'other'

export interface FileIdentity {
  readonly dev: bigint
  readonly ino: bigint
  /** The permission bits, set-id and sticky ones included. */
  readonly mode: number
  readonly isSocket: boolean
}

export interface SocketState {
  readonly domain: number
  readonly type: number
  readonly listening: boolean
  readonly connected: boolean
  /** What it is bound to: a path's bytes, or a NUL and an abstract name; empty when unbound or not AF_UNIX. */
  readonly name: Uint8Array
  /** The same of the socket at the other end. */
  readonly peerName: Uint8Array
}

export interface PeerCredentials {
  readonly pid: number
  readonly uid: number
  readonly gid: number
}

export interface SystemCalls {
  /** Enters an open descriptor in the ledger. -EBADF: not open. -EEXIST: entered already. */
  own(fd: number): number
  /** Strikes it out without closing it. -EBADF: not in the ledger. */
  disown(fd: number): number
  /** -EBADF: not in the ledger, and nothing was closed. Any other errno is close(2)'s, and the number is free. */
  closeFd(fd: number): number
  /** The first `count` of the numbers, those that are in the ledger; such as follow one another by one system call. */
  closeFds(numbers: Int32Array, count: number): void
  /** An owned duplicate, closed on exec. */
  dup(fd: number): number
  ledgerCount(): number
  /** Descriptors on their way to other threads: src/transport/mailbox.ts. Ids are the process's. */
  openMailbox(): number
  /** What is in it is closed. */
  closeMailbox(mailbox: number): void
  /** Out of this thread's ledger; its id. -EBADF: it is not there; -EPIPE: the mailbox is closed. */
  offerDescriptor(fd: number, mailbox: number): number
  /** Into this thread's ledger; the descriptor. -EBADF: there is none of this id. */
  takeOffered(id: number): number
  forwardOffered(from: number, to: number): void
  /** True for the first who asks in this process, worker threads included. */
  claimWarning(kind: number): boolean

  descriptorKind(fd: number): DescriptorKind | number
  /** Owned, closed on exec, its offset at 0. A number makes it that many zero bytes. */
  memfd(name: string, content: Uint8Array | number, seals: number): number
  /** The end to read from and the end to write to: owned, closed on exec. */
  pipe(): readonly [number, number] | number
  memfdSeals(fd: number): number
  setCloseOnExec(fd: number): number
  /** On the open file, so also for everybody who shares it (docs/kernel.md fact 14). */
  setNonBlocking(fd: number): number
  /** SO_SNDBUF. */
  setSendBuffer(fd: number, bytes: number): number
  /** The same, as the kernel has it: doubled. */
  sendBuffer(fd: number): number
  /** SO_TIMESTAMP: a control message comes with each message, and none with the end (docs/kernel.md fact 18). */
  stampMessages(fd: number): number
  /**
   * SO_PASSRIGHTS off: the peer's sends with descriptors fail. -ENOPROTOOPT before Linux 6.16. Off, too, is all else that a
   * receive without room for it would report as descriptors do: by MSG_CTRUNC (docs/kernel.md fact 10).
   */
  refuseRights(fd: number): number

  /** Addresses are the bytes of sun_path; a type that is not given is SOCK_STREAM. All sockets made here are owned, non-blocking and closed on exec. */
  socketPair(type: number): readonly [number, number] | number
  /** -EAGAIN: the listener's backlog is full. */
  connectSocket(address: Uint8Array, type?: number): number
  /** Asks who is there, unseen by them. -ECONNREFUSED: a socket file without a socket; 0, -EPROTOTYPE: somebody. */
  probeSocket(address: Uint8Array): number
  /** @param mode of a path's file, less the umask, from its first moment; undefined for an abstract name */
  bindSocket(address: Uint8Array, mode: number | undefined, type?: number): number
  listenSocket(fd: number, backlog: number): number
  acceptSocket(fd: number): number
  /** Whether nothing can come any more: a listening socket that was shut down says -EAGAIN for ever. */
  isShutDown(fd: number): boolean
  socketState(fd: number): SocketState | number

  /** To whoever is bound there, without a connection. -EAGAIN: their queue is full. Up to 253 descriptors. */
  sendDatagram(address: Uint8Array, bytes: Uint8Array, fds: readonly number[]): number

  peerCredentials(fd: number): PeerCredentials | number
  peerGroups(fd: number): readonly number[] | number
  /** undefined: no security module of this kernel labels sockets. */
  peerLabel(fd: number): string | undefined | number
  /** Owned, closed on exec. */
  peerPidfd(fd: number): number

  /** An owned descriptor that holds the directory's exclusive flock. -EAGAIN: somebody else has it. */
  lockDirectory(path: string): number
  /** Gives the lock back, also when a child shares it, and closes. */
  unlockDirectory(fd: number): number
  /** An owned O_PATH descriptor of the file itself, symbolic link or not: its inode number cannot be reused. */
  pinPath(path: string): number
  /** Of the file that a path names (symbolic links are not followed) or of a descriptor's. */
  fileIdentity(file: string | number): FileIdentity | number
  changePinnedMode(pin: number, mode: number): number
  /** Removes the path if that very file is there; -ESTALE if another one is. */
  unlinkIdentical(path: string, dev: bigint, ino: bigint): number
}

export const AF_UNIX = 1
export const SOCK_STREAM = 1
export const SOCK_DGRAM = 2
export const SOCK_SEQPACKET = 5

export const Seal = { seal: 1, shrink: 2, grow: 4, write: 8 } as const

/**
 * The errnos that this folder tells apart, negative as the addon returns them: the same on every architecture that Node runs on
 * (asm-generic/errno.h). Not from node:os, which takes its part of a start; a test compares them.
 */
export const Errno = {
  EPERM: -1,
  ENOENT: -2,
  EINVAL: -22,
  EINTR: -4,
  EBADF: -9,
  EAGAIN: -11,
  ENOMEM: -12,
  EACCES: -13,
  EEXIST: -17,
  EPIPE: -32,
  ENFILE: -23,
  EMFILE: -24,
  EMSGSIZE: -90,
  EPROTOTYPE: -91,
  ENOPROTOOPT: -92,
  EADDRINUSE: -98,
  ECONNABORTED: -103,
  ENOBUFS: -105,
  ECONNREFUSED: -111,
  ESTALE: -116,
  EFAULT: -14,
  ENOTCONN: -107,
  ETOOMANYREFS: -109,
} as const
