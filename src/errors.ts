/**
 * Every error that pillion throws or ends a stream with.
 *
 * Users match on `code`, which is stable (docs/errors.md lists them all); `origin` says whose
 * fault it is: this program's (`local`), the peer's (`remote`) or the machine's (`system`).
 * This file knows nothing of sockets or frames; every layer may import it.
 */
import { getSystemErrorName } from 'node:util'

export type ErrorOrigin = 'local' | 'remote' | 'system'

export abstract class PillionError extends Error {
  abstract readonly code: string
  abstract readonly origin: ErrorOrigin

  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
  }
}

/** The peer's fault, at a place in what it sent. */
abstract class PeerError extends PillionError {
  readonly origin = 'remote'
  /** Stream offset of the offending frame or byte. */
  readonly position: number

  constructor(message: string, position: number, options?: ErrorOptions) {
    super(`${message} (at byte ${position} of the stream)`, options)
    this.position = position
  }
}

/** The peer's bytes break the wire format. */
export class ProtocolError extends PeerError {
  readonly code = 'ERR_PILLION_PROTOCOL'
}

/** Descriptors arrived that no frame announced, or a frame came without all that it announced. */
export class DescriptorMismatchError extends PeerError {
  readonly code = 'ERR_PILLION_DESCRIPTOR_MISMATCH'
}

/** A descriptor was announced, but the kernel could not install it here (docs/kernel.md facts 7, 9). */
export class DescriptorLostError extends PillionError {
  readonly code = 'ERR_PILLION_DESCRIPTOR_LOST'
  readonly origin = 'system'
}

/** Over a limit: refused here at `send`, or announced by the peer. */
abstract class LimitError extends PillionError {
  readonly origin: ErrorOrigin
  readonly limit: number
  /** Stream offset of the peer's frame; undefined for one of ours. */
  readonly position: number | undefined

  /** @param position of the peer's frame, which makes it the peer's fault */
  constructor(message: string, limit: number, position?: number) {
    super(position === undefined ? message : `${message} (at byte ${position} of the stream)`)
    this.limit = limit
    this.origin = position === undefined ? 'local' : 'remote'
    this.position = position
  }
}

/** More descriptors than the codec, the stream's limit or the wire format can carry in one frame. */
export class TooManyDescriptorsError extends LimitError {
  readonly code = 'ERR_PILLION_TOO_MANY_DESCRIPTORS'
}

/** A payload over the stream's limit. */
export class FrameTooLargeError extends LimitError {
  readonly code = 'ERR_PILLION_FRAME_TOO_LARGE'
}

/** The stream, descriptor or listener was used after it was closed, ended or taken. */
export class ClosedError extends PillionError {
  readonly code = 'ERR_PILLION_CLOSED'
  readonly origin = 'local'
}

/** Something that waits with a bound did not happen within it. */
export class TimeoutError extends PillionError {
  readonly code = 'ERR_PILLION_TIMEOUT'
  readonly origin = 'system'
}

/** The kernel, or the peer through the kernel, refuses: EPERM and EACCES, or a peer that may not connect. */
export class PermissionError extends PillionError {
  readonly code = 'ERR_PILLION_PERMISSION'
  readonly origin = 'system'
  readonly errno: number | undefined
  readonly syscall: string | undefined
  readonly address: string | undefined

  constructor(message: string, call?: { errno: number; syscall: string; address?: string }, options?: ErrorOptions) {
    super(message, options)
    this.errno = call?.errno
    this.syscall = call?.syscall
    this.address = call?.address
  }
}

/** An argument or an option that can never be right, or a call in a state that does not allow it. */
export class UsageError extends PillionError {
  readonly code = 'ERR_PILLION_USAGE'
  readonly origin = 'local'
}

/** A system call failed. `code` is the errno's name ('ECONNREFUSED'), `errno` negative as Node has it. */
export class SystemError extends PillionError {
  readonly code: string
  readonly origin = 'system'
  readonly errno: number
  readonly syscall: string
  readonly address: string | undefined

  /** @param errno as the addon returns it: negative */
  constructor(errno: number, syscall: string, subject?: string, advice?: string) {
    const code = getSystemErrorName(errno)
    super(
      `${syscall}${subject === undefined ? '' : ` ${subject}`}: ${code}${advice === undefined ? '' : `; ${advice}`}`,
    )
    this.code = code
    this.errno = errno
    this.syscall = syscall
    this.address = subject
  }
}
