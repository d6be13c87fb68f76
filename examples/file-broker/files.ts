/** What the broker serves, as both processes know it: types alone. */
import type { Descriptor } from 'pillion'
import type { RpcTarget } from 'pillion/rpc'

export interface Directory extends RpcTarget {
  /** What may be asked for; directories with a slash. */
  list(): string[]
  directory(name: string): Directory
  /** A regular file, open for reading: the caller's to close. */
  open(name: string): Descriptor
}
