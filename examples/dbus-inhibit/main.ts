/**
 * Keeps the machine from sleeping for so many seconds: asks logind for an inhibitor lock, which is a descriptor.
 *
 *     npx tsx examples/dbus-inhibit/main.ts [SECONDS]
 */
import { setTimeout as wait } from 'node:timers/promises'
import { parseTypes } from 'd-bus-type-system'
import { Bus } from './bus.js'

const address = process.env.DBUS_SYSTEM_BUS_ADDRESS ?? 'unix:path=/run/dbus/system_bus_socket'
await using bus = await Bus.connect(/^unix:path=([^,;]+)/.exec(address)?.[1] ?? address)
const { descriptors } = await bus.call({
  destination: 'org.freedesktop.login1',
  objectPath: '/org/freedesktop/login1',
  interfaceName: 'org.freedesktop.login1.Manager',
  memberName: 'Inhibit',
  types: parseTypes('ssss'),
  args: ['sleep:idle', 'dbus-inhibit', 'an example is running', 'block'],
})
console.log(`inhibited: a ${descriptors[0]?.kind}`)
await wait(1000 * Number(process.argv[2] ?? 10))
for (const lock of descriptors) lock.close() // it is held until its last copy is closed
console.log('released')
