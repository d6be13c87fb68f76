/**
 * Keeps the machine from going to sleep for as long as it runs: asks logind for an inhibitor lock, which is a descriptor.
 * The lock is held until the last copy of it is closed.
 *
 *     npx tsx examples/dbus-inhibit/main.ts [SECONDS]
 */
import { setTimeout as wait } from 'node:timers/promises'
import { Bus } from './bus.js'

const address = process.env.DBUS_SYSTEM_BUS_ADDRESS ?? 'unix:path=/run/dbus/system_bus_socket'
const path = /^unix:path=([^,;]+)/.exec(address)?.[1]
if (path === undefined) throw new Error(`this example knows unix:path=… alone, not ${address}`)

await using bus = await Bus.connect(path)
const { descriptors } = await bus.call({
  destination: 'org.freedesktop.login1',
  path: '/org/freedesktop/login1',
  interface: 'org.freedesktop.login1.Manager',
  member: 'Inhibit',
  signature: 'ssss',
  body: ['sleep:idle', 'dbus-inhibit', 'an example is running', 'block'],
})
const [lock] = descriptors
if (lock === undefined) throw new Error('logind answered without a descriptor')

console.log(`inhibited: descriptor ${lock.fd}, a ${lock.kind}`)
await wait(1000 * Number(process.argv[2] ?? 10))
lock.close()
console.log('released')
