/**
 * A server, and clients that break the protocol, with nobody looking at how sessions end; then one more that works. Prints
 * the codes of the process warnings, and what the last call gave.
 */
import { dial, RpcSession, RpcTarget, serve } from '../../../src/rpc/index.js'
import { connect, pair } from '../../../src/stream/index.js'

class Main extends RpcTarget {
  echo(text: string) {
    return text
  }
}

const warnings: unknown[] = []
process.on('warning', (warning) => warnings.push((warning as NodeJS.ErrnoException).code))
const [address = ''] = process.argv.slice(2)
const server = await serve(address, new Main())
for (let i = 0; i < 3; i++) {
  const bad = await connect(address)
  bad.onBatch(() => {})
  bad.send(Buffer.from([9, 9, 9]))
  await bad.end()
  await bad.closed
}
const [near, far] = pair()
new RpcSession(near)
far.onBatch(() => {})
far.send(Buffer.from([9, 9, 9]))
await far.end()
await far.closed
const api = await dial<Main>(address)
const said = await api.echo('still here')
api[Symbol.dispose]()
await server.close()
console.log(JSON.stringify({ warnings, said }))
