/**
 * SocketFile: the file that a listening socket is bound to. Makes it, replaces a stale one, removes only its own.
 *
 * Everything that looks and then acts is under one lock among those who do the same: an exclusive flock of the
 * directory. Against all others there is the order of the steps: a file is made with its final mode or a narrower one,
 * inodes are pinned while they are compared, and ours is removed while its socket lives. Knows nothing of accepting.
 */
import { dirname, isAbsolute, join } from 'node:path'
import { SystemError, UsageError } from '../errors.js'
import type { PathAddress } from './address.js'
import { Deadline } from './deadline.js'
import { binding } from './native.js'
import { Errno, type FileIdentity } from './system-calls.js'
import { succeeded, systemFailure } from './system-failure.js'
import { wait } from './wait.js'

export interface SocketFileOptions {
  readonly mode: number
  readonly backlog: number
  /** The kernel's number of the socket's type. */
  readonly type: number
  readonly signal: AbortSignal | undefined
}

export interface BoundSocket {
  /** Listening, in the ledger. */
  readonly fd: number
  readonly file: SocketFile
}

const lockPatience = 1_000
const lockRetry = 10
/** More than one stale file in a row means that somebody unknown to the lock is at work there. */
const attemptsToBind = 4

export class SocketFile {
  readonly #path: string
  readonly #identity: FileIdentity

  private constructor(path: string, identity: FileIdentity) {
    this.#path = path
    this.#identity = identity
  }

  /** A socket that listens at the path. SystemError EADDRINUSE when something lives there, or is no socket. */
  static async listen(address: PathAddress, options: SocketFileOptions): Promise<BoundSocket> {
    const directory = process.cwd()
    // Removed by this name one day, whatever the working directory is by then; not normalised, as the kernel does not.
    const path = isAbsolute(address.path) ? address.path : `${directory}/${address.path}`
    const lock = await lockDirectory(dirname(path), options.signal)
    try {
      // Bound under the lock also where nothing was: another one must not see the file before it listens.
      if (process.cwd() !== directory) throw new UsageError(`listen ${address.text}: the working directory changed`)
      return SocketFile.#bind(address, path, options)
    } finally {
      if (lock !== undefined) binding.unlockDirectory(lock)
    }
  }

  static #bind(address: PathAddress, path: string, options: SocketFileOptions): BoundSocket {
    for (let attempt = 0; attempt < attemptsToBind; attempt++) {
      const fd = binding.bindSocket(address.bytes, options.mode, options.type)
      if (fd >= 0) return SocketFile.#complete(fd, address, path, options)
      if (fd !== Errno.EADDRINUSE) throw systemFailure(fd, 'bind', address.text)
      removeStale(address, path)
    }
    throw inUse(address, 'somebody else replaces the file there all the time')
  }

  static #complete(fd: number, address: PathAddress, path: string, options: SocketFileOptions): BoundSocket {
    let file: SocketFile | undefined
    try {
      const identity = binding.fileIdentity(path)
      if (typeof identity === 'number') throw systemFailure(identity, 'lstat', address.text)
      if (!identity.isSocket) throw replaced(address)
      file = new SocketFile(path, identity)
      if (identity.mode !== options.mode) file.#widen(address, options.mode)
      succeeded(binding.listenSocket(fd, options.backlog), 'listen', address.text)
      return { fd, file }
    } catch (error) {
      file?.remove()
      binding.closeFd(fd)
      throw error
    }
  }

  /** Removes the file if it is still ours. To be called before its socket is closed: until then the inode is pinned. */
  remove(): void {
    // Gone, replaced, or in a directory that may not be written any more: there is nothing that could be done.
    binding.unlinkIdentical(this.#path, this.#identity.dev, this.#identity.ino)
  }

  /** Gives the bits that the umask took. On the file itself, not on whatever its path names a moment later. */
  #widen(address: PathAddress, mode: number): void {
    const pin = succeeded(binding.pinPath(this.#path), 'open', address.text)
    try {
      const pinned = binding.fileIdentity(pin)
      if (typeof pinned === 'number') throw systemFailure(pinned, 'fstat', address.text)
      if (!isSame(pinned, this.#identity)) throw replaced(address)
      succeeded(binding.changePinnedMode(pin, mode), 'chmod', address.text)
    } finally {
      binding.closeFd(pin)
    }
  }
}

/** undefined when it cannot be had (no right to read the directory, a file system without locks, a holder who stays). */
async function lockDirectory(directory: string, signal: AbortSignal | undefined): Promise<number | undefined> {
  const deadline = new Deadline(lockPatience)
  for (;;) {
    const lock = binding.lockDirectory(directory)
    if (lock >= 0) return lock
    // Anybody who may read the directory can hold its lock for ever, which must not stop us.
    if (lock !== Errno.EAGAIN || deadline.left <= 0) return undefined
    await wait(lockRetry, signal)
  }
}

/** Returns when the path is free as far as one can tell; throws when it must not be touched. */
function removeStale(address: PathAddress, path: string): void {
  const pin = binding.pinPath(path)
  if (pin === Errno.ENOENT) return
  succeeded(pin, 'open', address.text)
  try {
    const found = binding.fileIdentity(pin)
    if (typeof found === 'number') throw systemFailure(found, 'fstat', address.text)
    if (!found.isSocket) throw inUse(address, 'what is there is no socket, and only stale sockets are replaced')
    const occupant = probe(address, pin)
    if (occupant === 0 || occupant === Errno.EPROTOTYPE || occupant === Errno.EAGAIN) {
      throw inUse(address, 'a living server has it')
    }
    if (occupant !== Errno.ECONNREFUSED) {
      throw inUse(address, `whether its server lives cannot be told (${systemFailure(occupant, 'connect').message})`)
    }
    const removed = binding.unlinkIdentical(path, found.dev, found.ino)
    // Another file by now: the next bind finds out about that one.
    if (removed !== Errno.ESTALE && removed !== Errno.ENOENT) succeeded(removed, 'unlink', address.text)
  } finally {
    binding.closeFd(pin)
  }
}

/** Asks the pinned file itself; where /proc is not mounted, whatever the path names. */
function probe(address: PathAddress, pin: number): number {
  const occupant = binding.probeSocket(new TextEncoder().encode(join('/proc/self/fd', String(pin))))
  return occupant === Errno.ENOENT ? binding.probeSocket(address.bytes) : occupant
}

function isSame(one: FileIdentity, other: FileIdentity): boolean {
  return one.isSocket === other.isSocket && one.dev === other.dev && one.ino === other.ino
}

function inUse(address: PathAddress, advice: string): SystemError {
  return new SystemError(Errno.EADDRINUSE, 'bind', address.text, advice)
}

function replaced(address: PathAddress): SystemError {
  return new SystemError(Errno.ESTALE, 'bind', address.text, 'the file was replaced as soon as it was made')
}
