/**
 * FrameLimits: how much a frame may carry, either way. Announced nowhere; each end enforces its own.
 */
import { checkOptions, shown } from '../arguments.js'
import { UsageError } from '../errors.js'

export interface FrameLimits {
  /** Bytes of payload in a frame. */
  readonly maxPayload: number
  /** Descriptors of a frame. */
  readonly maxDescriptors: number
}

export type LimitOptions = { readonly [Limit in keyof FrameLimits]?: FrameLimits[Limit] | undefined }

const defaultPayload = 16 * 1024 * 1024
/** What one sendmsg takes (docs/kernel.md fact 6). */
const defaultDescriptors = 253
const mostDescriptors = 1024
/** Offsets are kept in 32 bits, and what frames a payload needs room beside it. */
const mostPayload = 2 ** 31 - 64 * 1024

/**
 * Fills in what is not given: the codec's own defaults, then 16 MiB and 253 descriptors. What is given wins over the
 * codec's, either way. Throws UsageError for what can never work.
 */
export function frameLimits(
  options: LimitOptions = {},
  codec?: { readonly defaults?: Partial<FrameLimits> },
): FrameLimits {
  checkOptions(options)
  const maxPayload = options.maxPayload ?? codec?.defaults?.maxPayload ?? defaultPayload
  const maxDescriptors = options.maxDescriptors ?? codec?.defaults?.maxDescriptors ?? defaultDescriptors
  if (!Number.isInteger(maxPayload) || maxPayload < 0 || maxPayload > mostPayload) {
    throw new UsageError(`maxPayload is a whole number of bytes from 0 to ${mostPayload}, not ${shown(maxPayload)}`)
  }
  if (!Number.isInteger(maxDescriptors) || maxDescriptors < 0 || maxDescriptors > mostDescriptors) {
    throw new UsageError(`maxDescriptors is a whole number from 0 to ${mostDescriptors}, not ${shown(maxDescriptors)}`)
  }
  return { maxPayload, maxDescriptors }
}
