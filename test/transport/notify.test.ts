/**
 * Notifications as a service manager receives them; the manager is Python, which reads when it is told to.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { Descriptor, notify } from '../../src/transport/index.js'
import { needs } from '../support/needs.js'
import { turns } from '../support/streams.js'
import { closeAll, makeTokens } from '../support/tokens.js'

/** Says `bound`, then at each line of its input receives that many datagrams and says what was in them. */
const script = `
import array, json, os, socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace('@', '\\0'))
print('"bound"', flush=True)
for line in sys.stdin:
    for _ in range(int(line)):
        data, fds, flags, _ = socket.recv_fds(s, 4096, 253)
        numbers = [struct.unpack('<I', os.pread(fd, 4, 0))[0] for fd in fds]
        for fd in fds:
            os.close(fd)
        print(json.dumps([data.decode(), numbers]), flush=True)
`

let path = ''

beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), 'pillion-notify-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  path = join(folder, 's')
  process.env.NOTIFY_SOCKET = path
})

afterEach(() => {
  delete process.env.NOTIFY_SOCKET
})

interface Manager {
  /** What the next so many datagrams hold: their text, and the numbers of their tokens. */
  receive(count: number): Promise<unknown[]>
}

async function manager(address: string = path): Promise<Manager> {
  const child = spawn('python3', ['-c', script, address], { stdio: ['pipe', 'pipe', 'inherit'] })
  const closed = once(child, 'close')
  onTestFinished(async () => {
    child.stdin.end()
    await closed
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async () => JSON.parse((await lines.next()).value) as unknown
  expect(await next()).toBe('bound')
  return {
    async receive(count) {
      child.stdin.write(`${count}\n`)
      const received: unknown[] = []
      while (received.length < count) received.push(await next())
      return received
    },
  }
}

it('tells nobody when there is no manager', async () => {
  delete process.env.NOTIFY_SOCKET
  expect(await notify({ READY: 1 })).toBe(false)
})

describe('with a manager', () => {
  beforeEach((context) => needs(context, { command: 'python3' }))

  it('sends the assignments a line each, with the descriptors', async () => {
    const { receive } = await manager()
    const tokens = makeTokens([7, 8])
    const sent = notify({ FDSTORE: 1, FDNAME: 'a name' }, { descriptors: [tokens[0]!, tokens[1]!.fd] })
    closeAll(tokens)
    expect(await sent).toBe(true)
    expect(await receive(1)).toEqual([['FDSTORE=1\nFDNAME=a name', [7, 8]]])
  })

  it('finds a manager in the abstract namespace', async () => {
    const name = `@pillion-notify-${process.pid}`
    process.env.NOTIFY_SOCKET = name
    const { receive } = await manager(name)
    await notify({ STATUS: 'grüß dich = 1' })
    expect(await receive(1)).toEqual([['STATUS=grüß dich = 1', []]])
  })

  it('waits while the manager is behind, and sends the file it was given, whatever has become of its number', async () => {
    const { receive } = await manager()
    const room = Number(readFileSync('/proc/sys/net/unix/max_dgram_qlen', 'latin1')) + 1
    for (let i = 0; i < room; i++) await notify({ STATUS: i })

    const [given] = makeTokens([42]) as [Descriptor]
    const number = given.fd
    let settled = false
    const sent = notify({ FDSTORE: 1 }, { descriptors: [given] }).finally(() => {
      settled = true
    })
    given.close()
    const [other] = makeTokens([1]) as [Descriptor]
    onTestFinished(() => other.close())
    expect(other.fd).toBe(number)
    await turns()
    expect(settled).toBe(false)

    expect((await receive(room + 1)).at(-1)).toEqual(['FDSTORE=1', [42]])
    expect(await sent).toBe(true)
  })

  it('gives up waiting when told to, and keeps nothing', async () => {
    await manager()
    const room = Number(readFileSync('/proc/sys/net/unix/max_dgram_qlen', 'latin1')) + 1
    for (let i = 0; i < room; i++) await notify({ STATUS: i })
    const controller = new AbortController()
    const [token] = makeTokens([1]) as [Descriptor]
    const sent = notify({ FDSTORE: 1 }, { descriptors: [token], signal: controller.signal })
    token.close()
    controller.abort(new Error('enough'))
    await expect(sent).rejects.toThrow('enough')
  })
})

it('says that nobody is there', async () => {
  await expect(notify({ READY: 1 })).rejects.toMatchObject({ name: 'SystemError', code: 'ENOENT', syscall: 'sendmsg' })
})

it.each([
  [{}, 'a notification assigns something'],
  [{ ready: 1 }, "has no variable 'ready'"],
  [{ STATUS: 'one\nREADY=1' }, 'STATUS is one line'],
  [{ FDNAME: 'a:b' }, 'FDNAME is 1 to 255 printable'],
  [{ FDNAME: '' }, 'FDNAME is 1 to 255 printable'],
])('refuses %j', async (notification, message) => {
  await expect(notify(notification)).rejects.toMatchObject({
    name: 'UsageError',
    message: expect.stringContaining(message),
  })
})

it('refuses an address that is no Unix socket’s, and more descriptors than a message takes', async () => {
  process.env.NOTIFY_SOCKET = 'vsock:2:1234'
  await expect(notify({ READY: 1 })).rejects.toThrow("NOTIFY_SOCKET is a path or '@name', not 'vsock:2:1234'")
  const descriptors = new Array<number>(254).fill(0)
  await expect(notify({ FDSTORE: 1 }, { descriptors })).rejects.toThrow('253 descriptors, not 254')
})

it('refuses a closed descriptor', async () => {
  const descriptor = Descriptor.memfd(1)
  descriptor.close()
  await expect(notify({ FDSTORE: 1 }, { descriptors: [descriptor] })).rejects.toThrow(/closed/)
})
