/**
 * The broker: the one process that may open files, and only those below a directory.
 *
 *     npx tsx examples/file-broker/broker.ts @file-broker DIRECTORY
 *
 * Whoever runs as this user, or as root, may have all of it; other users what is in `public`; by the uid that the kernel
 * tells. Each step is one name in an open directory, and no link is followed: so nothing leads out of it, whatever
 * somebody moves or links meanwhile.
 */
import { constants, openSync, readdirSync } from 'node:fs'
import { Descriptor, type Peer } from 'pillion'
import { RpcError, RpcTarget, serve } from 'pillion/rpc'
import type { Directory } from './files.js'

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants

class OpenDirectory extends RpcTarget implements Directory {
  readonly #descriptor: Descriptor

  /** Owns the descriptor. */
  constructor(descriptor: Descriptor) {
    super()
    this.#descriptor = descriptor
  }

  list(): string[] {
    const entries = readdirSync(this.#path('.'), { withFileTypes: true })
    const offered = entries.filter((entry) => entry.isFile() || entry.isDirectory())
    return offered.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)).sort()
  }

  directory(name: string): OpenDirectory {
    return new OpenDirectory(this.#open(name, O_DIRECTORY))
  }

  open(name: string): Descriptor {
    const file = this.#open(name, O_NONBLOCK) // a named pipe must not keep the broker waiting
    if (file.kind === 'file') return file // moves to the caller
    const { kind } = file
    file.close()
    throw new RpcError('failed', `${name} is no regular file: ${kind}`)
  }

  /** The last reference to it is gone. */
  [Symbol.dispose](): void {
    this.#descriptor.close()
  }

  #open(name: string, flags: number): Descriptor {
    if (typeof name !== 'string' || /^\.{0,2}$|[/\0]/.test(name))
      throw new RpcError('failed', 'a name is one step down')
    try {
      return Descriptor.own(openSync(this.#path(name), O_RDONLY | O_NOFOLLOW | flags))
    } catch (error) {
      throw new RpcError('failed', `${name}: ${(error as NodeJS.ErrnoException).code}`) // ELOOP: a link
    }
  }

  /** Within this very directory, wherever it has been moved to: what openat(2) would do. */
  #path(name: string): string {
    return `/proc/self/fd/${this.#descriptor.fd}/${name}`
  }
}

const [address = '@file-broker', directory = '.'] = process.argv.slice(2)

function mainFor(peer: Peer): OpenDirectory {
  const trusted = peer.uid === 0 || peer.uid === process.getuid?.()
  return new OpenDirectory(
    Descriptor.own(openSync(trusted ? directory : `${directory}/public`, O_RDONLY | O_DIRECTORY)),
  )
}

const server = await serve(address, mainFor, { authorize: () => true })
process.once('SIGTERM', () => void server.close({ drain: 1000 }))
console.log(`serving ${directory} at ${address}`)
