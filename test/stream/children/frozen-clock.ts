/**
 * A program whose timers, ticks and clock stand still, as those of a test that fakes all of them do: frames and calls go on.
 * Prints what has come.
 */
import { writeSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { RpcSession, RpcTarget, withOptions } from '../../../src/rpc/index.js'
import { pair } from '../../../src/stream/index.js'

class Service extends RpcTarget {
  echo(value: unknown) {
    return value
  }
  async *numbers() {
    for (let i = 0; i < 10; i++) yield Buffer.alloc(1024 * 1024, i)
  }
}

const never = () => Object.assign(() => {}, { ref: never, unref: () => {}, [Symbol.toPrimitive]: () => 0 })
const names = ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'clearTimeout', 'clearImmediate']
for (const name of names) Object.assign(globalThis, { [name]: never })
process.nextTick = never
performance.now = () => 0

const [near, far] = pair()
let frames = 0
const all = new Promise<void>((resolve) => {
  far.on('frame', () => ++frames === 10_008 && resolve())
})
for (let i = 0; i < 8; i++) near.send(new Uint8Array(1024 * 1024)) // more than goes in one turn of the loop
for (let i = 0; i < 10_000; i++) near.send(new Uint8Array(8)) // more than come in one
await all
await near.end()
await far.end()
await Promise.all([near.closed, far.closed])

const [client, server] = pair()
new RpcSession(server, new Service())
const session = new RpcSession<Service>(client)
const api = session.getRemoteMain()
const echoed = await withOptions(api, { timeout: 1000 }).echo('there')
let numbers = 0
for await (const _ of await api.numbers()) numbers++
await session.close()
writeSync(1, `${JSON.stringify({ frames, echoed, numbers })}\n`)
process.exit()
