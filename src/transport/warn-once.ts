/**
 * Process warnings that come once a process each, worker threads included: what a peer can cause again and again must
 * not fill a log.
 */
import { binding } from './native.js'

const codes = [
  'PILLION_FORGOTTEN_DESCRIPTOR',
  'PILLION_UNOBSERVED_ERROR',
  'PILLION_REFUSED_FRAME',
  'PILLION_AUTHORIZE_FAILED',
  'PILLION_FORGOTTEN_STUB',
] as const

export type WarningCode = (typeof codes)[number]

/** @param detail what to do about it */
export function warnOnce(code: WarningCode, message: string, detail: string): void {
  if (!binding.claimWarning(codes.indexOf(code))) return
  process.emitWarning(message, {
    type: 'PillionWarning',
    code,
    detail: `${detail} Further ones in this process are not reported.`,
  })
}
