/** Connecting, pairs and adoption: what is given, what is refused, and that nothing leaks on the way. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { connect as connectTo, createServer } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { ClosedError, SystemError, TimeoutError, UsageError } from '../../src/errors.js'
import { adoptConnected, connectUnix, pairUnix } from '../../src/transport/connect.js'
import { Descriptor } from '../../src/transport/descriptor.js'
import { binding } from '../../src/transport/native.js'
import { needs } from '../support/needs.js'

let directory = ''
let path = ''
let owned = 0
const open: number[] = []
const encode = (text: string) => new TextEncoder().encode(text)

beforeEach(() => {
  directory = mkdtempSync('/tmp/pillion-connect-')
  path = `${directory}/s`
  owned = binding.ledgerCount()
})

afterEach(() => {
  for (const fd of open.splice(0)) binding.closeFd(fd)
  rmSync(directory, { recursive: true })
  expect(binding.ledgerCount()).toBe(owned)
})

function keep(fd: number): number {
  expect(fd).toBeGreaterThanOrEqual(0)
  open.push(fd)
  return fd
}

/** Backlog 0: the kernel lets one connection wait, and no second. */
function listenWithFullBacklog(): number {
  const server = keep(binding.bindSocket(encode(path), 0o600))
  binding.listenSocket(server, 0)
  keep(binding.connectSocket(encode(path)))
  expect(binding.connectSocket(encode(path))).toBe(-11)
  return server
}

describe('connectUnix', () => {
  it('gives a connected socket, for a path and for an abstract name', async () => {
    for (const address of [path, `@pillion-connect-${process.pid}`]) {
      const server = keep(binding.bindSocket(encode(address.replace('@', '\0')), 0o600))
      binding.listenSocket(server, 1)
      const fd = keep(await connectUnix(address))
      expect(binding.socketState(fd)).toMatchObject({ connected: true, listening: false })
      keep(binding.acceptSocket(server))
    }
  })

  it('waits for a place in a full backlog', async () => {
    const server = listenWithFullBacklog()
    let connected = false
    const connecting = connectUnix(path).then((fd) => {
      connected = true
      return keep(fd)
    })
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
    expect(connected).toBe(false)
    keep(binding.acceptSocket(server))
    await connecting
  })

  it('gives up after its timeout', async () => {
    listenWithFullBacklog()
    const before = performance.now()
    await expect(connectUnix(path, { timeout: 50 })).rejects.toThrow(TimeoutError)
    expect(performance.now() - before).toBeGreaterThanOrEqual(49)
    await expect(connectUnix(path, { timeout: 0 })).rejects.toThrow(path)
  })

  it('gives up when its signal is aborted, with the reason', async () => {
    listenWithFullBacklog()
    const reason = new Error('never mind')
    const controller = new AbortController()
    const connecting = connectUnix(path, { signal: controller.signal, timeout: Number.POSITIVE_INFINITY })
    controller.abort(reason)
    await expect(connecting).rejects.toBe(reason)
    await expect(connectUnix(path, { signal: AbortSignal.abort('at once') })).rejects.toBe('at once')
  })

  it('fails when the server goes away while it waits', async () => {
    const server = listenWithFullBacklog()
    const connecting = connectUnix(path)
    binding.closeFd(server)
    await expect(connecting).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('names the call, the errno and the address', async () => {
    await expect(connectUnix(path)).rejects.toMatchObject({
      code: 'ENOENT',
      errno: -2,
      syscall: 'connect',
      address: path,
      origin: 'system',
    })
    binding.closeFd(binding.bindSocket(encode(path), 0o600))
    await expect(connectUnix(path)).rejects.toThrow(SystemError)
    await expect(connectUnix(path)).rejects.toThrow(`connect ${path}: ECONNREFUSED; nobody listens there`)
    await expect(connectUnix(`@pillion-nobody-${process.pid}`)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('says so when a socket of another type is there', async (ctx) => {
    needs(ctx, { command: 'python3' })
    const script = `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print('bound', flush=True); sys.stdin.read()`
    const child = spawn('python3', ['-c', script, path], { stdio: ['pipe', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    await expect(connectUnix(path)).rejects.toThrow(/EPROTOTYPE; the socket there is no stream socket/)
    child.stdin.end()
    await once(child, 'close')
  })

  it.each([-1, Number.NaN, '3' as unknown as number])('refuses %s as a timeout', async (timeout) => {
    await expect(connectUnix(path, { timeout })).rejects.toThrow(UsageError)
  })

  it('refuses an address that can be none by a rejection', async () => {
    await expect(connectUnix('x'.repeat(200))).rejects.toThrow(UsageError)
  })
})

describe('adoptConnected', () => {
  const flagsOf = (fd: number) =>
    Number.parseInt(/^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? '', 8)

  it('takes over a connected socket, by number or with its Descriptor', async () => {
    const [one, other] = pairUnix()
    binding.disown(one)
    binding.disown(other)
    expect(keep(adoptConnected(one))).toBe(one)
    const descriptor = Descriptor.own(other)
    expect(keep(await connectUnix({ fd: descriptor }))).toBe(other)
    expect(descriptor.closed).toBe(true)
    expect(() => adoptConnected(descriptor)).toThrow(ClosedError)
  })

  it('makes it non-blocking and closed on exec', async (ctx) => {
    needs(ctx, { command: 'python3' })
    // Another program that shares the open file makes it blocking.
    const script = 'import socket, sys; s = socket.socket(fileno=3); s.setblocking(True); print(1)'
    const [one, other] = pairUnix()
    keep(other)
    const child = spawn('python3', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit', one] })
    await once(child, 'close')
    binding.disown(one)
    expect(flagsOf(one) & 0o4000).toBe(0)
    keep(adoptConnected(one))
    expect(flagsOf(one) & 0o4000).toBe(0o4000)
    expect(flagsOf(one) & 0o2000000).toBe(0o2000000)
  })

  it('still takes a socket whose peer has closed: what it sent is there to be read', () => {
    const [one, other] = pairUnix()
    binding.disown(one)
    binding.closeFd(other)
    keep(adoptConnected(one))
  })

  it('leaves a wrong one to the caller', () => {
    using file = Descriptor.own(openSync('/dev/null', 'r'))
    expect(() => adoptConnected(file)).toThrow(/ENOTSOCK; it is a character/)
    expect(file.closed).toBe(false)
    const server = keep(binding.bindSocket(encode(path), 0o600))
    expect(() => adoptConnected(server)).toThrow(/neither connected nor listening/)
    binding.listenSocket(server, 1)
    expect(() => adoptConnected(server)).toThrow(/is a listening socket; a connected Unix stream socket is needed/)
    const [one, other] = binding.socketPair(5) as readonly [number, number]
    keep(one)
    keep(other)
    expect(() => adoptConnected(one)).toThrow(/type 5/)
    expect(() => adoptConnected(-1)).toThrow(UsageError)
    expect(() => adoptConnected(999_999)).toThrow(SystemError)
  })

  it('leaves a socket that this thread already waits for to whoever does', async () => {
    const server = createServer().listen(path)
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const client = connectTo(path)
    onTestFinished(() => void client.destroy())
    await once(client, 'connect')
    const { fd } = (client as unknown as { _handle: { fd: number } })._handle
    expect(() => adoptConnected(fd)).toThrow(UsageError)
    expect(() => adoptConnected(fd)).toThrow(/this thread’s event loop waits for it already/)
    client.end() // still works
    await once(client, 'close')
  })

  it('refuses a number that is owned already', () => {
    const [one, other] = pairUnix()
    keep(one)
    keep(other)
    expect(() => adoptConnected(one)).toThrow(UsageError)
  })
})
