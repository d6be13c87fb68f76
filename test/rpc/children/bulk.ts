/**
 * Serves, over the socket that is its descriptor 3, files that are written into pipes: `open` gives the end to read from,
 * `fill` takes the end to write to. Ends with its session.
 */
import { once } from 'node:events'
import { type Pipe, pipe, RpcSession, RpcTarget, writeTo } from '../../../src/rpc/index.js'
import { adopt, Descriptor } from '../../../src/stream/index.js'
import { pattern } from '../../support/streams.js'

class Bulk extends RpcTarget {
  open(megabytes: number): Descriptor {
    const { readable, writable }: Pipe = pipe()
    void write(writable, megabytes)
    return readable
  }

  /** Returns when all has been written. */
  async fill(into: Descriptor, megabytes: number): Promise<void> {
    await write(into, megabytes)
  }
}

async function write(into: Descriptor, megabytes: number): Promise<void> {
  const stream = writeTo(into)
  const chunk = pattern(1_000_000)
  for (let i = 0; i < megabytes; i++) if (!stream.write(chunk)) await once(stream, 'drain')
  stream.end()
  await once(stream, 'close')
}

new RpcSession(adopt(Descriptor.own(3)), new Bulk())
