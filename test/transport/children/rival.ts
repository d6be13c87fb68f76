/** Listens at each path it is told, when it is told, and says how that went. */
import { createInterface } from 'node:readline'
import { Listener } from '../../../src/transport/listener.js'

let listener: Listener | undefined
process.stdout.write('"ready"\n')
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'close') {
    listener?.close()
    listener = undefined
    process.stdout.write('"closed"\n')
    continue
  }
  try {
    listener = await Listener.listen(line)
    process.stdout.write('"listening"\n')
  } catch (error) {
    process.stdout.write(`${JSON.stringify((error as { code: string }).code)}\n`)
  }
}
listener?.close()
