/**
 * Serves over the socket that is its descriptor 3, with a descriptor table that can be filled: `fill` leaves so many
 * places, `empty` makes room again. `fetch` calls the other side's function, and tells what came of it. Ends with its session.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { RpcSession, type RpcStub, RpcTarget } from '../../../src/rpc/index.js'
import { adopt, Descriptor } from '../../../src/stream/index.js'

const fillers: number[] = []

class Crowded extends RpcTarget {
  async fill(free: number): Promise<void> {
    // What Node itself has open may still come and go for a while after the start.
    for (let quiet = 0; quiet < 20; quiet++) {
      for (let full = false; !full; ) {
        try {
          fillers.push(openSync('/dev/null', 'r'))
          quiet = 0
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EMFILE') throw error
          full = true
        }
      }
      await new Promise(setImmediate)
    }
    for (const fd of fillers.splice(fillers.length - free)) closeSync(fd)
  }

  empty(): void {
    for (const fd of fillers.splice(0)) closeSync(fd)
  }

  names(files: readonly Descriptor[]): string[] {
    return files.map(nameOf)
  }

  async fetch(open: RpcStub<() => Descriptor[]>): Promise<unknown> {
    try {
      using files = await open()
      return [...files].map(nameOf)
    } catch (error) {
      return (error as { code?: unknown }).code
    }
  }

  echo(value: unknown): unknown {
    return value
  }
}

function nameOf({ fd }: Descriptor): string {
  const into = Buffer.alloc(64)
  return into.toString('utf8', 0, readSync(fd, into, 0, into.length, 0))
}

new RpcSession(adopt(Descriptor.own(3), { descriptorHeadroom: 0 }), new Crowded())
