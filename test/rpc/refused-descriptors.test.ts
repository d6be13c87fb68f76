/** A peer whose kernel refuses descriptors for it: a message with some is dropped, and no call may wait for its answer. */
import { expect, it } from 'vitest'
import { RpcSession } from '../../src/rpc/index.js'
import { adopt, type Descriptor, PillionError } from '../../src/stream/index.js'
import { adoptOwned } from '../../src/transport/descriptor.js'
import { pairUnix } from '../../src/transport/index.js'
import { named } from '../support/streams.js'
import { plain } from './support/waiting.js'

it('does not leave a call pending whose descriptors the peer refuses', async () => {
  const [left, right] = pairUnix().map(adoptOwned) as [Descriptor, Descriptor]
  const client = new RpcSession<{ take(file: Descriptor): void }>(adopt(left))
  const server = new RpcSession(adopt(right, { acceptDescriptors: false }), { take: () => {} })
  using api = client.getRemoteMain()
  using file = named('refused')

  const call = plain(api.take(file))

  await expect(call).rejects.toBeInstanceOf(PillionError)
  await client.close().catch(() => {})
  await server.close().catch(() => {})
})
