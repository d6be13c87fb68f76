/** Listener: accepting, whom it lets in, pressure, and each member in each state. The file is socket-file.test.ts's. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, openSync, readlinkSync, readSync, rmSync, writeSync } from 'node:fs'
import { createServer } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ClosedError, type PillionError, SystemError, UsageError } from '../../src/errors.js'
import { connectUnix } from '../../src/transport/connect.js'
import { Descriptor } from '../../src/transport/descriptor.js'
import { type AcceptHandlers, Listener } from '../../src/transport/listener.js'
import { binding } from '../../src/transport/native.js'
import type { Peer } from '../../src/transport/peer.js'
import { needs } from '../support/needs.js'
import { startChild } from './children/run.js'

let directory = ''
let path = ''
const open: number[] = []
const listeners: Listener[] = []

beforeEach(() => {
  directory = mkdtempSync('/tmp/pillion-listener-')
  path = `${directory}/s`
})

afterEach(() => {
  for (const listener of listeners.splice(0)) listener.close()
  for (const fd of open.splice(0)) binding.closeFd(fd)
  rmSync(directory, { recursive: true })
})

async function listen(...[address, options]: Parameters<typeof Listener.listen>): Promise<Listener> {
  const listener = await Listener.listen(address, options)
  listeners.push(listener)
  return listener
}

async function connect(address: Parameters<typeof connectUnix>[0] = path): Promise<number> {
  const fd = await connectUnix(address)
  open.push(fd)
  return fd
}

const unexpected = (error: PillionError) => {
  throw error
}

/** Accepts, and resolves with the sockets once there are so many. */
function accepted(listener: Listener, count: number, handlers: Partial<AcceptHandlers> = {}): Promise<number[]> {
  const fds: number[] = []
  return new Promise((resolve) => {
    listener.accept({
      onError: unexpected,
      ...handlers,
      onConnection: (fd) => {
        open.push(fd)
        fds.push(fd)
        handlers.onConnection?.(fd)
        if (fds.length === count) resolve(fds)
      },
    })
  })
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 5_000
  while (!holds()) {
    if (Date.now() > deadline) throw new Error('it did not come to hold within 5 s')
    await new Promise(setImmediate)
  }
}

function listeningFd(address: Uint8Array): number {
  const fd = binding.bindSocket(address, 0o600)
  expect(binding.listenSocket(fd, 8)).toBe(0)
  return fd
}

describe('accepting', () => {
  it.each(['path', 'abstract'])('gives connected sockets at a %s address', async (kind) => {
    const address = kind === 'path' ? path : { abstract: `pillion-test-${process.pid}` }
    const listener = await listen(address)
    expect(listener.address).toBe(address)
    await connect(address)
    const [fd = -1] = await accepted(listener, 1)
    expect(binding.socketState(fd)).toMatchObject({ connected: true, listening: false, type: 1, domain: 1 })
  })

  it('begins with accept: until then connections wait in the backlog', async () => {
    const listener = await listen(path)
    await connect()
    await new Promise(setImmediate)
    expect(await accepted(listener, 1)).toHaveLength(1)
  })

  it('leaves room for other work in a flood of connections', async () => {
    const listener = await listen(path)
    for (let i = 0; i < 200; i++) await connect()
    let inThisTurn = 0
    let most = 0
    const turn = () => {
      inThisTurn = 0
      again = setImmediate(turn)
    }
    let again = setImmediate(turn)
    await accepted(listener, 200, {
      onConnection: () => {
        most = Math.max(most, ++inThisTurn)
      },
    })
    clearImmediate(again)
    expect(most).toBeLessThanOrEqual(64)
  })

  it('gives a connection whose client has gone as well: what it sent can still be read', async () => {
    const listener = await listen(path)
    binding.closeFd(await connect())
    expect(await accepted(listener, 1)).toHaveLength(1)
  })

  it('stops at once when it is paused or closed by the handler, and goes on when it is resumed', async () => {
    const listener = await listen(path)
    for (let i = 0; i < 3; i++) await connect()
    let seen = 0
    const all = accepted(listener, 3, {
      onConnection: () => {
        seen++
        if (seen === 1) listener.pause()
      },
    })
    await until(() => seen === 1)
    await new Promise(setImmediate)
    expect([seen, listener.paused]).toEqual([1, true])
    listener.resume()
    await all
    expect(listener.paused).toBe(false)

    const second = await listen(`${path}2`)
    await connect(`${path}2`)
    await connect(`${path}2`)
    let late = 0
    await accepted(second, 1, {
      onConnection: () => {
        late++
        second.close()
      },
    })
    await new Promise(setImmediate)
    expect(late).toBe(1)
  })

  it('may be paused before it accepts', async () => {
    const listener = await listen(path)
    listener.pause()
    await connect()
    let seen = 0
    const one = accepted(listener, 1, { onConnection: () => seen++ })
    await new Promise(setImmediate)
    await new Promise(setImmediate)
    expect(seen).toBe(0)
    listener.resume()
    await one
  })

  it('keeps the loop alive while it accepts, and not when it is unref’d', async () => {
    const child = startChild('unref.ts', [path])
    expect(await child.answer()).toBe('unreferenced')
    expect(await child.end()).toBe(0)
  })

  it('makes sockets that no child process inherits', async () => {
    const listener = await listen(path)
    const client = await connect()
    const [server = -1] = await accepted(listener, 1)
    const child = spawn('/bin/ls', ['-l', '/proc/self/fd'], { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    child.stdout.on('data', (data) => {
      text += data
    })
    await once(child, 'close')
    const links = [client, server].map((fd) => readlinkSync(`/proc/self/fd/${fd}`))
    expect(text).toContain('/proc')
    for (const link of links) expect(text).not.toContain(link)
  })
})

describe('authorize', () => {
  it('sees the peer, and closes whom it refuses', async () => {
    const peers: Peer[] = []
    const listener = await listen(path, { authorize: (peer) => peers.push(peer) > 1 })
    const refused = await connect()
    await connect()
    const seen: unknown[] = []
    await accepted(listener, 1, { onRefused: (peer, error) => seen.push([peer.uid, peer.groups.length >= 0, error]) })
    expect(seen).toEqual([[process.geteuid?.(), true, undefined]])
    expect(listener.refused).toBe(1)
    expect(peers[0]?.pid).toBe(process.pid)
    // Its end is gone: reading gives end of file.
    expect(readSync(refused, Buffer.alloc(1))).toBe(0)
  })

  it('refuses when it throws, and says what it threw', async () => {
    let calls = 0
    const failure = new Error('no such user')
    const listener = await listen(path, {
      authorize: () => {
        if (calls++ === 0) throw failure
        return true
      },
    })
    await connect()
    await connect()
    const errors: unknown[] = []
    await accepted(listener, 1, { onRefused: (_peer, error) => errors.push(error) })
    expect(errors).toEqual([failure])
  })

  it('warns once of a throwing authorize when nobody listens for it', async () => {
    const warnings: Error[] = []
    const collect = (warning: Error) => warnings.push(warning)
    process.on('warning', collect)
    let calls = 0
    const listener = await listen(path, {
      authorize: () => {
        if (++calls < 3) throw new Error('broken rule')
        return true
      },
    })
    for (let i = 0; i < 3; i++) await connect()
    await accepted(listener, 1)
    await until(() => warnings.length > 0)
    process.off('warning', collect)
    expect(warnings.map(({ message }) => message)).toEqual([expect.stringContaining('broken rule')])
  })

  it('takes no promise for a yes', async () => {
    let calls = 0
    const listener = await listen(path, {
      authorize: () => (calls++ === 0 ? (Promise.resolve(true) as unknown as boolean) : true),
    })
    await connect()
    await connect()
    const errors: unknown[] = []
    await accepted(listener, 1, { onRefused: (_peer, error) => errors.push(error) })
    expect(errors).toEqual([expect.any(UsageError)])
  })

  it('leaves nothing open when it closes the listener', async () => {
    const before = binding.ledgerCount()
    const listener = await listen(path, {
      authorize: () => {
        listener.close()
        return true
      },
    })
    const client = await connectUnix(path)
    let refusals = 0
    listener.accept({ onConnection: (fd) => open.push(fd), onError: unexpected, onRefused: () => refusals++ })
    await until(() => listener.closed)
    binding.closeFd(client)
    expect([refusals, open, binding.ledgerCount()]).toEqual([1, [], before])
  })

  it('gives a peer that is of no use once it was judged: its number may be another file’s', async () => {
    let kept: Peer | undefined
    const listener = await listen(path, {
      authorize: (peer) => {
        kept = peer
        return true
      },
    })
    await connect()
    await accepted(listener, 1)
    expect(kept?.uid).toBe(process.geteuid?.())
    expect(() => kept?.groups).toThrow(ClosedError)
    expect(() => kept?.pidfd()).toThrow(ClosedError)
  })
})

describe('an abstract address', () => {
  const address = () => `@pillion-private-${process.pid}`

  it('lets in no other user, for want of a file mode (CVE-2020-15257)', async (ctx) => {
    needs(ctx, 'root')
    const listener = await listen(address())
    const refusals: number[] = []
    const one = accepted(listener, 1, { onRefused: (peer) => refusals.push(peer.uid) })
    const child = startChild('unprivileged.ts')
    await child.answer()
    child.tell(`connect ${address()}`)
    expect(await child.answer()).toBe('refused')
    expect(await child.end()).toBe(0)
    expect(refusals).toEqual([65534])
    await connect(address())
    expect(await one).toHaveLength(1)
  })

  it('lets in no other user when it is inherited as a descriptor', async (ctx) => {
    needs(ctx, 'root')
    const fd = listeningFd(new TextEncoder().encode(`\0${address().slice(1)}`))
    binding.disown(fd)
    const listener = await listen({ fd })
    listener.accept({ onConnection: (one) => open.push(one), onError: unexpected })
    const child = startChild('unprivileged.ts')
    await child.answer()
    child.tell(`connect ${address()}`)
    expect(await child.answer()).toBe('refused')
    await child.end()
    expect(open).toEqual([])
  })

  it('lets in whom authorize does', async (ctx) => {
    needs(ctx, 'root')
    const groups: (readonly number[])[] = []
    const listener = await listen(address(), { authorize: (peer) => groups.push(peer.groups) > 0 })
    const child = startChild('unprivileged.ts')
    const { pid } = (await child.answer()) as { pid: number }
    const one = accepted(listener, 1)
    child.tell(`connect ${address()}`)
    const [fd = -1] = await one
    expect(binding.peerCredentials(fd)).toEqual({ pid, uid: 65534, gid: 65534 })
    writeSync(fd, 'welcome')
    expect(await child.answer()).toBe('served')
    expect(await child.end()).toBe(0)
    expect(groups).toEqual([[4001, 4002]])
  })

  it('is in use while somebody listens there', async () => {
    await listen(address())
    await expect(Listener.listen(address())).rejects.toMatchObject({ code: 'EADDRINUSE', address: address() })
  })
})

describe('pressure', () => {
  it('waits for room in a full table of descriptors, without spinning, and loses no connection', async () => {
    const child = startChild('crowded.ts', [path], { limit: 100 })
    const { pressures, cpuMs, owned } = (await child.answer()) as {
      pressures: unknown[]
      cpuMs: number
      owned: number
    }
    expect(await child.end()).toBe(0)
    expect(pressures).toEqual([10, 20, 40, 80].map((retryIn) => ({ code: 'EMFILE', retryIn })))
    // Of at least 150 ms that it waited.
    expect(cpuMs).toBeLessThan(75)
    expect(owned).toBe(0)
  })
})

describe('an inherited descriptor', () => {
  it('is taken over, and its file left to whoever made it', async () => {
    const fd = listeningFd(new TextEncoder().encode(path))
    const listener = await listen({ fd: Descriptor.own(disowned(fd)) })
    await connect()
    await accepted(listener, 1)
    listener.close()
    expect(existsSync(path)).toBe(true)
    expect(existsSync(`/proc/self/fd/${fd}`)).toBe(false)
  })

  it('ends its Descriptor, which is closed to its holder from then on', async () => {
    const descriptor = Descriptor.own(disowned(listeningFd(new TextEncoder().encode(path))))
    await listen({ fd: descriptor })
    expect(descriptor.closed).toBe(true)
    expect(() => descriptor.fd).toThrow(ClosedError)
    await expect(Listener.listen({ fd: descriptor })).rejects.toThrow(ClosedError)
  })

  it('is refused, and left to the caller, when it is no listening Unix stream socket', async () => {
    using file = Descriptor.own(openSync('/dev/null', 'r'))
    await expect(Listener.listen({ fd: file })).rejects.toMatchObject({ code: 'ENOTSOCK', syscall: 'getsockopt' })
    expect(file.closed).toBe(false)

    const [one, other] = binding.socketPair(1) as readonly [number, number]
    open.push(one, other)
    await expect(Listener.listen({ fd: one })).rejects.toThrow(/is a connected socket/)
    const [datagram, second] = binding.socketPair(2) as readonly [number, number]
    open.push(datagram, second)
    await expect(Listener.listen({ fd: datagram })).rejects.toThrow(/is a Unix socket of type 2/)
    await expect(Listener.listen({ fd: 999_999 })).rejects.toMatchObject({ code: 'EBADF' })
    expect(existsSync(`/proc/self/fd/${one}`)).toBe(true)

    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { fd } = (server as unknown as { _handle: { fd: number } })._handle
    await expect(Listener.listen({ fd })).rejects.toThrow(/is a socket of address family 2/)
    server.close()
  })

  it('is refused as a bare number when a Descriptor owns it', async () => {
    using descriptor = Descriptor.own(disowned(listeningFd(new TextEncoder().encode(path))))
    await expect(Listener.listen({ fd: descriptor.fd })).rejects.toThrow(UsageError)
    expect(descriptor.kind).toBe('socket')
  })

  it('reports that somebody else shut the socket down, closed by then', async (ctx) => {
    needs(ctx, { command: 'python3' })
    const fd = listeningFd(new TextEncoder().encode(path))
    using shared = Descriptor.dup(fd)
    const listener = await listen({ fd: disowned(fd) })
    const error = new Promise<unknown>((resolve) => {
      listener.accept({
        onConnection: (one) => open.push(one),
        onError: (failure) => resolve([failure, listener.closed]),
      })
    })
    const shutDown = 'import socket; socket.socket(fileno=3).shutdown(socket.SHUT_RDWR)'
    const child = spawn('python3', ['-c', shutDown], { stdio: ['ignore', 'inherit', 'inherit', shared.fd] })
    expect(await error).toEqual([expect.objectContaining({ code: 'EINVAL', syscall: 'accept' }), true])
    await once(child, 'close')
  })

  function disowned(fd: number): number {
    expect(binding.disown(fd)).toBe(0)
    return fd
  }
})

describe('each member', () => {
  it('of a closed listener refuses or does nothing', async () => {
    const listener = await listen(path)
    listener.close()
    expect(listener.closed).toBe(true)
    listener.close()
    listener[Symbol.dispose]()
    for (const use of [
      () => listener.accept({ onConnection: () => undefined, onError: unexpected }),
      () => listener.pause(),
      () => listener.resume(),
      () => listener.ref(),
      () => listener.unref(),
    ]) {
      expect(use).toThrow(ClosedError)
    }
    expect([listener.address, listener.refused, listener.paused]).toEqual([path, 0, false])
  })

  it('accepts once only', async () => {
    const listener = await listen(path)
    const handlers = { onConnection: () => undefined, onError: unexpected }
    listener.accept(handlers)
    expect(() => listener.accept(handlers)).toThrow(UsageError)
    expect(listener.ref()).toBe(listener)
    expect(listener.unref()).toBe(listener)
  })

  it.each([{ mode: -1 }, { mode: 0o1000 }, { mode: 1.5 }, { backlog: -1 }, { backlog: Number.NaN }])(
    'refuses %o',
    async (options) => {
      await expect(Listener.listen(path, options)).rejects.toThrow(UsageError)
      expect(existsSync(path)).toBe(false)
    },
  )

  it('does not begin when its signal is aborted already', async () => {
    await expect(Listener.listen(path, { signal: AbortSignal.abort('why') })).rejects.toBe('why')
    expect(existsSync(path)).toBe(false)
  })

  it('resets the connections that nobody accepted when it closes', async () => {
    const listener = await listen(path)
    const client = await connect()
    listener.close()
    expect(() => readSync(client, Buffer.alloc(1))).toThrow(expect.objectContaining({ code: 'ECONNRESET' }))
    await expect(connectUnix(path)).rejects.toThrow(SystemError)
  })

  it('closes its socket when it is forgotten before it accepts', async () => {
    const warnings: Error[] = []
    const collect = (warning: Error) => warnings.push(warning)
    process.on('warning', collect)
    const before = binding.ledgerCount()
    await (async () => void (await Listener.listen(path)))()
    expect(binding.ledgerCount()).toBe(before + 1)
    await until(() => {
      globalThis.gc?.()
      return binding.ledgerCount() === before
    })
    await until(() => warnings.length === 1)
    process.off('warning', collect)
  })

  it('keeps listening when nobody holds it any more', async () => {
    const done = new Promise<number>((resolve) => {
      void Listener.listen(path).then((listener) => {
        listener.accept({
          onError: unexpected,
          onConnection: (fd) => {
            listener.close()
            resolve(fd)
          },
        })
      })
    })
    await until(() => existsSync(path))
    for (let i = 0; i < 5; i++) {
      globalThis.gc?.()
      await new Promise(setImmediate)
    }
    await connect()
    open.push(await done)
  })
})
