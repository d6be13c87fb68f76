/** The addon's free functions: the ledger, the flags of all they make, and errnos for all that fails. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { constants } from 'node:os'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { binding } from '../../src/transport/native.js'
import { Errno, type FileIdentity, SOCK_STREAM } from '../../src/transport/system-calls.js'

let directory = ''
let path = ''
const encode = (text: string) => new TextEncoder().encode(text)
const flagsOf = (fd: number) =>
  Number.parseInt(/^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? '', 8)

beforeEach(() => {
  directory = mkdtempSync('/tmp/pillion-calls-')
  path = `${directory}/s`
})

afterEach(() => {
  rmSync(directory, { recursive: true })
})

it('has the numbers of this machine’s errnos', () => {
  const numbers = Object.keys(Errno).map((name) => [name, -(constants.errno as Record<string, number>)[name]!])
  expect(Errno).toMatchObject(Object.fromEntries(numbers.filter(([, number]) => !Number.isNaN(number))))
  expect(numbers.length).toBe(23)
})

describe('the ledger', () => {
  it('owns what is open, once', () => {
    const before = binding.ledgerCount()
    const fd = openSync('/dev/null', 'r')
    expect([binding.own(fd), binding.own(fd)]).toEqual([0, Errno.EEXIST])
    expect(binding.ledgerCount()).toBe(before + 1)
    expect([binding.closeFd(fd), binding.closeFd(fd)]).toEqual([0, Errno.EBADF])
    expect([binding.own(fd), binding.own(-1)]).toEqual([Errno.EBADF, Errno.EBADF])
    expect(binding.ledgerCount()).toBe(before)
  })

  it('closes nothing that it does not own', () => {
    const fd = openSync('/dev/null', 'r')
    expect([binding.closeFd(fd), binding.disown(fd)]).toEqual([Errno.EBADF, Errno.EBADF])
    expect(existsSync(`/proc/self/fd/${fd}`)).toBe(true)
    closeSync(fd)
    expect([binding.closeFd(-1), binding.closeFd(1 << 30), binding.disown(-1)]).toEqual(Array(3).fill(Errno.EBADF))
  })

  it('closes many at once, and of these only what it owns', () => {
    const file = openSync('/dev/null', 'r')
    const fds = Array.from({ length: 8 }, () => binding.dup(file))
    const [stranger, gone] = [fds[3] as number, fds[5] as number]
    binding.disown(stranger)
    binding.closeFd(gone)
    binding.closeFds(Int32Array.of(...fds.slice(0, 7), -1, fds[7] as number), 8)
    expect(fds.filter((fd) => existsSync(`/proc/self/fd/${fd}`))).toEqual([stranger, fds[7]])
    binding.closeFds(Int32Array.of(fds[7] as number, fds[7] as number), 99)
    expect(fds.filter((fd) => existsSync(`/proc/self/fd/${fd}`))).toEqual([stranger])
    for (const fd of [stranger, file]) closeSync(fd)
  })

  it('forgets what is disowned, and leaves it open', () => {
    const fd = binding.dup(2)
    expect([binding.disown(fd), binding.disown(fd), binding.closeFd(fd)]).toEqual([0, Errno.EBADF, Errno.EBADF])
    closeSync(fd)
  })
})

describe('every descriptor made here', () => {
  /** One of each, with the functions that make them. */
  function makeAll(): Map<string, number> {
    const server = binding.bindSocket(encode(path), 0o600)
    binding.listenSocket(server, 8)
    const client = binding.connectSocket(encode(path))
    const pair = binding.socketPair(SOCK_STREAM) as readonly [number, number]
    return new Map([
      ['bindSocket', server],
      ['connectSocket', client],
      ['acceptSocket', binding.acceptSocket(server)],
      ['socketPair 0', pair[0]],
      ['socketPair 1', pair[1]],
      ['dup', binding.dup(2)],
      ['memfd', binding.memfd('m', 1, 0)],
      ['lockDirectory', binding.lockDirectory(directory)],
      ['pinPath', binding.pinPath(path)],
    ])
  }

  it('is owned, closed on exec, and non-blocking if it is a socket', () => {
    const before = binding.ledgerCount()
    const made = makeAll()
    expect(binding.ledgerCount()).toBe(before + made.size)
    for (const [name, fd] of made) {
      expect([name, flagsOf(fd) & 0o2000000]).toEqual([name, 0o2000000])
      if (/socket/i.test(name)) expect([name, flagsOf(fd) & 0o4000]).toEqual([name, 0o4000])
      expect([name, binding.closeFd(fd)]).toEqual([name, 0])
    }
    expect(binding.ledgerCount()).toBe(before)
  })

  it('is inherited by no child', async () => {
    const made = makeAll()
    // A duplicate of the error stream, which the child has as well.
    binding.closeFd(made.get('dup') ?? -1)
    made.delete('dup')
    const child = spawn('/bin/ls', ['-l', '/proc/self/fd'], { stdio: ['ignore', 'pipe', 'ignore'] })
    let text = ''
    child.stdout.on('data', (data) => {
      text += data
    })
    await once(child, 'close')
    expect(text).toContain('1 -> ')
    for (const fd of made.values()) expect(text).not.toContain(readlinkSync(`/proc/self/fd/${fd}`))
    for (const fd of made.values()) binding.closeFd(fd)
  })

  it('leaves none behind when its call fails', () => {
    const before = binding.ledgerCount()
    const open = readFds()
    expect(binding.connectSocket(encode(path))).toBe(Errno.ENOENT)
    expect(binding.bindSocket(encode('/proc/x/y'), 0o600)).toBe(Errno.ENOENT)
    expect(binding.lockDirectory(path)).toBe(Errno.ENOENT)
    expect(binding.pinPath(path)).toBe(Errno.ENOENT)
    expect(binding.dup(-1)).toBe(Errno.EBADF)
    expect(binding.acceptSocket(2)).toBeLessThan(0)
    expect(binding.socketPair(77)).toBeLessThan(0)
    expect(binding.memfd('x'.repeat(250), 1, 0)).toBe(Errno.EINVAL)
    expect(binding.memfd('x', -1, 0)).toBe(Errno.EINVAL)
    expect(binding.memfd('x', 1, 1 << 20)).toBe(Errno.EINVAL)
    expect(readFds()).toEqual(open)
    expect(binding.ledgerCount()).toBe(before)
  })

  function readFds(): string[] {
    return Array.from({ length: 64 }, (_, fd) => fd).flatMap((fd) =>
      existsSync(`/proc/self/fd/${fd}`) ? [`${fd}`] : [],
    )
  }
})

describe('addresses', () => {
  it.each([0, 108, 109, 200])('of %i bytes are refused as a path', (length) => {
    const bytes = encode('x'.repeat(length))
    for (const call of [binding.connectSocket, binding.probeSocket]) expect(call(bytes)).toBe(Errno.EINVAL)
    expect(binding.bindSocket(bytes, 0o600)).toBe(Errno.EINVAL)
  })

  it('of 108 bytes are an abstract name, of 109 none', () => {
    const longest = encode(`\0${'x'.repeat(107)}`)
    const fd = binding.bindSocket(longest, undefined)
    const state = binding.socketState(fd)
    expect(typeof state === 'object' && Buffer.from(state.name).equals(longest)).toBe(true)
    binding.closeFd(fd)
    expect(binding.bindSocket(encode(`\0${'x'.repeat(108)}`), undefined)).toBe(Errno.EINVAL)
  })

  it('of 107 bytes are a path, whole', () => {
    const longest = `${directory}/${'x'.repeat(107 - directory.length - 1)}`
    const fd = binding.bindSocket(encode(longest), 0o600)
    expect(existsSync(longest)).toBe(true)
    const state = binding.socketState(fd)
    expect(typeof state === 'object' && Buffer.from(state.name).toString()).toBe(longest)
    binding.closeFd(fd)
  })
})

describe('probeSocket', () => {
  it('tells a dead file from a living socket, listening or not', () => {
    const fd = binding.bindSocket(encode(path), 0o600)
    expect(binding.probeSocket(encode(path))).toBe(Errno.EPROTOTYPE)
    binding.listenSocket(fd, 1)
    expect(binding.probeSocket(encode(path))).toBe(Errno.EPROTOTYPE)
    expect(binding.acceptSocket(fd)).toBe(Errno.EAGAIN)
    const pin = binding.pinPath(path)
    expect(binding.probeSocket(encode(`/proc/self/fd/${pin}`))).toBe(Errno.EPROTOTYPE)
    binding.closeFd(fd)
    expect(binding.probeSocket(encode(path))).toBe(Errno.ECONNREFUSED)
    expect(binding.probeSocket(encode(`/proc/self/fd/${pin}`))).toBe(Errno.ECONNREFUSED)
    binding.closeFd(pin)
  })
})

describe('files', () => {
  const identityOf = (file: string | number) => binding.fileIdentity(file) as FileIdentity

  it('have an identity, by path without following links and by descriptor', () => {
    writeFileSync(path, '')
    symlinkSync(path, `${path}l`)
    const pin = binding.pinPath(path)
    const { dev, ino } = lstatSync(path, { bigint: true })
    expect(identityOf(path)).toEqual({ dev, ino, mode: lstatSync(path).mode & 0o7777, isSocket: false })
    expect(identityOf(pin)).toEqual(identityOf(path))
    expect(identityOf(`${path}l`).ino).not.toBe(ino)
    binding.closeFd(pin)
    expect(binding.fileIdentity(`${directory}/nothing`)).toBe(Errno.ENOENT)
    expect(binding.fileIdentity(pin)).toBe(Errno.EBADF)
  })

  it('are removed only if they are the very ones', () => {
    writeFileSync(path, 'one')
    const pin = binding.pinPath(path)
    const { dev, ino } = identityOf(pin)
    writeFileSync(`${path}2`, 'two')
    renameSync(`${path}2`, path)
    expect(binding.unlinkIdentical(path, dev, ino)).toBe(Errno.ESTALE)
    expect(readFileSync(path, 'utf8')).toBe('two')
    const second = identityOf(path)
    expect(binding.unlinkIdentical(path, second.dev, second.ino)).toBe(0)
    expect(binding.unlinkIdentical(path, second.dev, second.ino)).toBe(Errno.ENOENT)
    binding.closeFd(pin)
  })

  it('change their mode by a pin, whatever their path names by then', () => {
    writeFileSync(path, '', { mode: 0o600 })
    const pin = binding.pinPath(path)
    renameSync(path, `${path}2`)
    writeFileSync(path, '', { mode: 0o600 })
    expect(binding.changePinnedMode(pin, 0o640)).toBe(0)
    expect([path, `${path}2`].map((file) => lstatSync(file).mode & 0o777)).toEqual([0o600, 0o640])
    binding.closeFd(pin)
  })
})

describe('directories', () => {
  it('are locked once, and free again when unlocked although a child shares the lock', async () => {
    const lock = binding.lockDirectory(directory)
    expect(binding.lockDirectory(directory)).toBe(Errno.EAGAIN)
    const child = spawn('/bin/cat', { stdio: ['pipe', 'ignore', 'inherit', lock] })
    await once(child, 'spawn')
    expect([binding.unlockDirectory(lock), binding.unlockDirectory(lock)]).toEqual([0, Errno.EBADF])
    const again = binding.lockDirectory(directory)
    expect(again).toBeGreaterThanOrEqual(0)
    binding.unlockDirectory(again)
    child.stdin?.end()
    await once(child, 'close')
  })
})
