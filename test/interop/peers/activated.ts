/**
 * A service as systemd starts it: serves the sockets that it inherited, by their names, until a client says `stop`.
 *
 * Frames come back as they were sent, the name of the socket in front. Prints what it inherited and, when it stops, how
 * many descriptors it has open that it had not when it began.
 */
import { readdirSync } from 'node:fs'
import { adopt, type FrameStream, inheritedDescriptors, listen } from 'pillion'

const inherited = inheritedDescriptors()
const open = () => readdirSync('/proc/self/fd').length
const left = Object.keys(process.env).filter((name) => name.startsWith('LISTEN_'))
console.log(JSON.stringify({ inherited: inherited.map(({ name, descriptor }) => [name, descriptor.fd]), left }))

const before = open()
const servers =
  process.argv[2] === 'accepted' ? [] : await Promise.all(inherited.map(({ descriptor }) => listen({ fd: descriptor })))
for (const [i, server] of servers.entries()) {
  server.on('connection', (stream) => void echo(inherited[i]!.name, stream))
}
if (servers.length === 0) for (const { name, descriptor } of inherited) void echo(name, adopt(descriptor))

async function echo(name: string, stream: FrameStream): Promise<void> {
  for await (const frame of stream) {
    if (Buffer.from(frame.payload).toString() === 'stop') {
      for (const server of servers) await server.close()
    } else if (!stream.send([Buffer.from(`${name} `), frame.payload], frame.descriptors)) await stream.drained()
    frame[Symbol.dispose]()
  }
  await stream.end()
  stream.destroy()
  // The sockets that it inherited are closed as well.
  if (servers.every((server) => server.closed))
    console.log(JSON.stringify({ more: open() + inherited.length - before }))
}
