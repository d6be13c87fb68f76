/**
 * Closing: closes numbers that are in the ledger, many by few system calls.
 */
import { binding } from './native.js'

/** Numbers on their way to be closed; between two of this thread's calls that end with `closeGathered` there are none. */
const gathered = new Int32Array(512)
let count = 0

/** `closeGathered` closes it, in the same piece of work. */
export function gatherToClose(fd: number): void {
  if (count === gathered.length) closeGathered()
  gathered[count++] = fd
}

export function closeGathered(): void {
  if (count === 1) binding.closeFd(gathered[0] as number)
  else if (count > 0) binding.closeFds(gathered, count)
  count = 0
}
