/** Accepts with a full table of descriptors, and again once there is room. */
import { closeSync, openSync } from 'node:fs'
import { connectUnix } from '../../../src/transport/connect.js'
import { type AcceptPressure, Listener } from '../../../src/transport/listener.js'
import { binding } from '../../../src/transport/native.js'

const listener = await Listener.listen(process.argv[2] as string)
const client = await connectUnix(listener.address)
const filler: number[] = []
function fill(): boolean {
  const before = filler.length
  for (;;) {
    try {
      filler.push(openSync('/dev/null', 'r'))
    } catch {
      return filler.length > before
    }
  }
}
// What Node itself has open may still come and go for a while after the start.
for (let quiet = 0; quiet < 50; quiet++) {
  if (fill()) quiet = 0
  await new Promise(setImmediate)
}

const pressures: AcceptPressure[] = []
const before = process.cpuUsage()
const accepted = new Promise<number>((resolve) => {
  listener.accept({
    onConnection: resolve,
    onError: (error) => {
      throw error
    },
    onPressure: (pressure) => {
      pressures.push(pressure)
      // Enough seen: make room.
      if (pressures.length === 4) for (const fd of filler.splice(0, 8)) closeSync(fd)
    },
  })
})
const fd = await accepted
const { user, system } = process.cpuUsage(before)
for (const number of filler) closeSync(number)
binding.closeFd(fd)
binding.closeFd(client)
listener.close()
process.stdout.write(`${JSON.stringify({ pressures, cpuMs: (user + system) / 1000, owned: binding.ledgerCount() })}\n`)
process.exit(0)
