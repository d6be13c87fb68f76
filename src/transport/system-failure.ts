/**
 * Which error class a failed system call becomes. Knows errnos, and nothing of what was attempted or why.
 */
import { getSystemErrorName } from 'node:util'
import { PermissionError, type PillionError, SystemError } from '../errors.js'
import { Errno } from './system-calls.js'

/**
 * @param errno negative, as the addon returns it
 * @param subject what the call was about: an address, a descriptor
 * @param advice what this usually means, or what to do
 */
export function systemFailure(errno: number, syscall: string, subject?: string, advice?: string): PillionError {
  if (errno !== Errno.EACCES && errno !== Errno.EPERM) return new SystemError(errno, syscall, subject, advice)
  const about = subject === undefined ? '' : ` ${subject}`
  const more = advice === undefined ? '' : `; ${advice}`
  return new PermissionError(`${syscall}${about}: ${getSystemErrorName(errno)}${more}`, {
    errno,
    syscall,
    ...(subject === undefined ? {} : { address: subject }),
  })
}

/** The result of a call that answers with a number, or its failure thrown. */
export function succeeded(result: number, syscall: string, subject?: string, advice?: string): number {
  if (result < 0) throw systemFailure(result, syscall, subject, advice)
  return result
}
