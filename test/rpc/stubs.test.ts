import { expect, test } from 'vitest'
import { RpcSession, RpcTarget } from '../../src/rpc/index.js'
import { pair } from '../../src/stream/index.js'

class Echo extends RpcTarget {
  echo(value: unknown) {
    return value
  }
}

test('a result that is asked for late is what was returned, whatever was received since', async () => {
  const [left, right] = pair()
  const client = new RpcSession<Echo>(left)
  const server = new RpcSession(right, new Echo())
  using api = client.getRemoteMain()
  const early = api.echo(['early'.repeat(100)])
  for (let i = 0; i < 500; i++) await api.echo('late!'.repeat(100))
  expect(await early).toEqual(['early'.repeat(100)])
  await client.close()
  await server.closed
})
