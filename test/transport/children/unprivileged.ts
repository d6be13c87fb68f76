/**
 * Becomes nobody, in the groups 4001 and 4002, and does as it is told: `connect ADDRESS`, `listen PATH`, `close`.
 * A connection on which the server sends something is "served", one that it closes at once "refused".
 */
import { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { connectUnix } from '../../../src/transport/connect.js'
import { Listener } from '../../../src/transport/listener.js'
import { binding } from '../../../src/transport/native.js'

process.setgroups?.([4001, 4002])
process.setgid?.(65534)
process.setuid?.(65534)

async function obey(command: string, argument: string): Promise<string> {
  try {
    if (command === 'listen') {
      const listener = await Listener.listen(argument)
      listener.close()
      return 'listened'
    }
    const fd = await connectUnix(argument)
    binding.disown(fd)
    const socket = new Socket({ fd })
    const outcome = await new Promise<string>((resolve) => {
      socket.once('data', () => resolve('served')).once('end', () => resolve('refused'))
    })
    socket.destroy()
    return outcome
  } catch (error) {
    return (error as { code: string }).code
  }
}

process.stdout.write(`${JSON.stringify({ uid: process.getuid?.(), pid: process.pid })}\n`)
for await (const line of createInterface({ input: process.stdin })) {
  const [command = '', argument = ''] = line.split(' ')
  process.stdout.write(`${JSON.stringify(await obey(command, argument))}\n`)
}
