/**
 * Descriptor: the one owner of one file descriptor in JavaScript.
 *
 * The addon's ledger backs it: a number is closed only while it is entered there, so closing twice, or after the number
 * was given away, closes nothing. Knows nothing of sockets, frames or who sends it.
 */

import { inspect, types } from 'node:util'
import { checkBoolean, checkOptions, shown } from '../arguments.js'
import { ClosedError, UsageError } from '../errors.js'
import { closeGathered, gatherToClose } from './closing.js'
import { Loan } from './loan.js'
import { binding } from './native.js'
import { type DescriptorKind, Errno, Seal } from './system-calls.js'
import { succeeded } from './system-failure.js'
import { warnOnce } from './warn-once.js'

export type { DescriptorKind } from './system-calls.js'

export interface MemfdOptions {
  /** What /proc shows of it; names need not be unique. Up to 249 bytes. */
  readonly name?: string
  /**
   * Sealed for good: with content, nothing of it can change; with a size, only that is fixed. A receiver that maps it
   * can rely on that (without, the sender could shrink it and the receiver die of SIGBUS).
   * Default: true with content, false with a size.
   */
  readonly seal?: boolean
}

let construct: (fd: number, guarded: boolean) => Descriptor
let recall: (descriptor: Descriptor) => void
let release: (descriptor: Descriptor) => number
let end: (descriptor: Descriptor) => number
let guard: (descriptor: Descriptor) => void
let loan: (descriptor: Descriptor) => Loan

/**
 * Owns one descriptor: closes it on `close`, at the end of a `using` block, or hands the duty on with `take`.
 *
 * One that is forgotten is closed when the garbage collector finds it, some time, or when its thread ends; the first
 * one of a process is reported by a process warning (code `PILLION_FORGOTTEN_DESCRIPTOR`). Do not rely on it: the table
 * of descriptors may be full long before. A number got from `fd` does not keep its Descriptor alive.
 */
export class Descriptor implements Disposable {
  #fd: number
  /** The collector closes it, should it be forgotten. */
  #guarded = false
  /** To the frames that wait with it; made when it is lent for the first time. */
  #loan: Loan | undefined

  static {
    construct = (fd, guarded) => new Descriptor(fd, guarded)
    recall = (descriptor) => descriptor.#loan?.recall()
    release = (descriptor) => descriptor.#release()
    end = (descriptor) => descriptor.#end()
    guard = (descriptor) => descriptor.#guard()
    loan = (descriptor) => descriptor.#lend()
  }

  private constructor(fd: number, guarded = true) {
    this.#fd = fd
    if (guarded) this.#guard()
  }

  /**
   * Takes over an open descriptor: from now on nobody else may close it. Its flags stay as they are.
   * When this throws, the caller still owns it.
   */
  static own(fd: number): Descriptor {
    checkNumber(fd)
    const result = binding.own(fd)
    if (result === Errno.EEXIST) throw new UsageError(`descriptor ${fd} is owned by another Descriptor; dup() it`)
    succeeded(result, 'fcntl', `fd ${fd}`)
    return new Descriptor(fd)
  }

  /** A duplicate, closed on exec. It shares the open file, so also its offset and O_NONBLOCK (docs/kernel.md fact 14). */
  static dup(fd: number | Descriptor): Descriptor {
    if (fd instanceof Descriptor) return fd.dup()
    checkNumber(fd)
    return new Descriptor(succeeded(binding.dup(fd), 'fcntl', `fd ${fd}`))
  }

  /** Memory as a file: with this content, its offset at 0, or so many zero bytes. */
  static memfd(content: Uint8Array | number, options: MemfdOptions = {}): Descriptor {
    checkOptions(options)
    const bytes = typeof content !== 'number'
    if (bytes ? !types.isUint8Array(content) : !Number.isSafeInteger(content) || content < 0) {
      throw new UsageError(`a memfd is made of a Uint8Array or a size in bytes, not of ${shown(content)}`)
    }
    const { name = 'pillion', seal = bytes } = options
    checkBoolean('seal', seal)
    if (typeof name !== 'string' || name.includes('\0') || Buffer.byteLength(name) > 249) {
      throw new UsageError('the name of a memfd is a string without NUL, of at most 249 bytes')
    }
    const fixed = Seal.seal | Seal.shrink | Seal.grow
    const seals = seal ? (bytes ? fixed | Seal.write : fixed) : 0
    return new Descriptor(succeeded(binding.memfd(name, content, seals), 'memfd_create', name))
  }

  /** The number. Throws ClosedError once closed or taken: the number may be another file's by then. */
  get fd(): number {
    if (this.#fd < 0) throw new ClosedError('the descriptor is closed, sent or taken')
    return this.#fd
  }

  /**
   * Hands over the number and the duty to close it.
   *
   * Frames that it was lent to and that still wait to be sent get a duplicate of it. Throws SystemError when there is none to
   * be had (EMFILE); it is still yours then.
   */
  take(): number {
    const fd = surrender(this)
    binding.disown(fd)
    return fd
  }

  dup(): Descriptor {
    return new Descriptor(succeeded(binding.dup(this.fd), 'fcntl', `fd ${this.fd}`))
  }

  /**
   * Closes it; does nothing once closed or taken. Never throws: the number is free whatever close(2) says, at once, or as
   * soon as the frames that it was lent to have been sent. Who must know that written data reached a disk calls fsync before.
   */
  close(): void {
    const fd = this.#fd < 0 ? -1 : this.#end()
    if (fd >= 0) binding.closeFd(fd)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** True once closed or taken. */
  get closed(): boolean {
    return this.#fd < 0
  }

  /** What the kernel says it is, asked each time. */
  get kind(): DescriptorKind {
    const kind = binding.descriptorKind(this.fd)
    return typeof kind === 'string' ? kind : (succeeded(kind, 'fstat', `fd ${this.fd}`) as never)
  }

  [inspect.custom](): string {
    if (this.#fd < 0) return 'Descriptor { closed }'
    const kind = binding.descriptorKind(this.#fd)
    return `Descriptor { fd: ${this.#fd}, kind: ${typeof kind === 'string' ? `'${kind}'` : 'unknown'} }`
  }

  #release(): number {
    const fd = this.fd
    this.#fd = -1
    if (this.#guarded) forgotten.unregister(this)
    return fd
  }

  #lend(): Loan {
    this.#loan ??= new Loan(this)
    return this.#loan
  }

  /** Ends it: the number that is to be closed, or -1 where frames still wait with it. */
  #end(): number {
    const fd = this.#release()
    return this.#loan?.keep(fd) === true ? -1 : fd
  }

  #guard(): void {
    if (this.#guarded || this.#fd < 0) return
    this.#guarded = true
    forgotten.register(this, this.#fd, this)
  }
}

/** Makes the owner of a number that is in the ledger already: received, accepted, duplicated. Not public. */
export function adoptOwned(fd: number): Descriptor {
  return construct(fd, true)
}

/**
 * The same, for a caller who closes it whatever happens, before anybody could forget it: the collector is not asked to
 * look out for it, which costs more than all else about a Descriptor. Not public.
 */
export function adoptForNow(fd: number): Descriptor {
  return construct(fd, false)
}

/** What was adopted for now goes to somebody who may forget it. Not public. */
export function guardFromNow(descriptor: Descriptor): void {
  guard(descriptor)
}

/**
 * The other way: the Descriptor ends as if taken, but its number stays in the ledger, and the caller owes the ledger
 * its end. Throws ClosedError when there is nothing to hand over, and as `recallDescriptor` does. Not public.
 */
export function surrender(descriptor: Descriptor): number {
  recall(descriptor)
  return release(descriptor)
}

/**
 * Frames that still wait with a Descriptor that was lent to `send` get a duplicate of their own, so that `take` cannot fail
 * for want of one. For code that first makes something of `fd`, and takes it once that has been made.
 *
 * Throws SystemError when there is no duplicate to be had (EMFILE); then nothing has changed.
 */
export function recallDescriptor(descriptor: Descriptor): void {
  recall(descriptor)
}

/** By which frames can wait with it, without a duplicate. Not public. */
export function loanOf(descriptor: Descriptor): Loan {
  return loan(descriptor)
}

const forgotten = new FinalizationRegistry<number>((fd) => {
  const kind = binding.descriptorKind(fd)
  binding.closeFd(fd)
  warnOnce(
    'PILLION_FORGOTTEN_DESCRIPTOR',
    `Descriptor ${fd} (${kind}) was forgotten; the garbage collector had to close it`,
    'Close every Descriptor: close(), `using`, or take() and close the number; dispose of what brought descriptors ' +
      'that you do not want. Until the collector runs, each one holds a place in the descriptor table.',
  )
})

export function checkNumber(fd: number): void {
  if (!Number.isInteger(fd) || fd < 0 || fd > 0x7fff_ffff) {
    throw new UsageError(`a descriptor is a number from 0 on, not ${shown(fd)}`)
  }
}

/** Closes numbers that are in the ledger, of sets that nobody took. */
export function closeDescriptors(fds: readonly number[]): void {
  if (!Array.isArray(fds)) throw new UsageError(`descriptors are given as an array of numbers, not ${shown(fds)}`)
  try {
    for (const fd of fds) {
      checkNumber(fd)
      gatherToClose(fd)
    }
  } finally {
    closeGathered()
  }
}

/** Closes those of the lists that are still open, as `close` would one by one; many by few system calls. Not public. */
export function closeOwners(lists: Iterable<readonly Descriptor[]>): void {
  for (const list of lists) {
    for (const descriptor of list) {
      const fd = descriptor.closed ? -1 : end(descriptor)
      if (fd >= 0) gatherToClose(fd)
    }
  }
  closeGathered()
}
