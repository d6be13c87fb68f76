/** Peer: what the kernel says of the other end, when it is asked, and when it no longer can be. */
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ClosedError, SystemError } from '../../src/errors.js'
import { pairUnix } from '../../src/transport/connect.js'
import { Descriptor } from '../../src/transport/descriptor.js'
import { Listener } from '../../src/transport/listener.js'
import { binding } from '../../src/transport/native.js'
import { Peer } from '../../src/transport/peer.js'
import { needs } from '../support/needs.js'
import { startChild } from './children/run.js'

let fd = -1
let other = -1

beforeEach(() => {
  ;[fd, other] = pairUnix() as [number, number]
})

afterEach(() => {
  binding.closeFd(fd)
  binding.closeFd(other)
})

it('of a pair is this process', () => {
  const peer = new Peer({ fd })
  expect([peer.pid, peer.uid, peer.gid]).toEqual([process.pid, process.geteuid?.(), process.getegid?.()])
  expect(inspect(peer)).toBe(`Peer { pid: ${peer.pid}, uid: ${peer.uid}, gid: ${peer.gid} }`)
})

it('has the supplementary groups, asked once', () => {
  let asked = 0
  const peer = new Peer({
    get fd() {
      asked++
      return fd
    },
  })
  const own = new Set(process.getgroups?.().filter((group) => group !== process.getegid?.()))
  expect(asked).toBe(1)
  const { groups } = peer
  expect([...own].every((group) => groups.includes(group))).toBe(true)
  expect(peer.groups).toBe(groups)
  expect(Object.isFrozen(groups)).toBe(true)
  expect(asked).toBe(2)
})

it('has a label where the kernel labels sockets, and undefined elsewhere', () => {
  const modules = (() => {
    try {
      return readFileSync('/sys/kernel/security/lsm', 'utf8')
    } catch {
      return ''
    }
  })()
  const { label } = new Peer({ fd })
  // AppArmor labels sockets or not, by its version and policy.
  if (/selinux|smack/.test(modules)) expect(label).toMatch(/./)
  else if (!modules.includes('apparmor')) expect(label).toBeUndefined()
})

it('gives a pidfd of the very process', async (ctx) => {
  needs(ctx, { kernel: '6.5' })
  using pidfd = new Peer({ fd }).pidfd()
  expect(pidfd.kind).toBe('other')
  expect(readFileSync(`/proc/self/fdinfo/${pidfd.fd}`, 'latin1')).toMatch(new RegExp(`^Pid:\\s+${process.pid}$`, 'm'))
})

describe('a process that connected', () => {
  it('is seen with the rights it had then, its groups, and its pidfd while it lives', async (ctx) => {
    needs(ctx, 'root', { kernel: '6.5' })
    const directory = mkdtempSync('/tmp/pillion-peer-')
    const listener = await Listener.listen(`@pillion-peer-${process.pid}`, { authorize: () => true })
    const child = startChild('unprivileged.ts')
    const { pid } = (await child.answer()) as { pid: number }
    const accepted = new Promise<number>((resolve, reject) =>
      listener.accept({ onConnection: resolve, onError: reject }),
    )
    child.tell(`connect @pillion-peer-${process.pid}`)
    const connection = await accepted
    const peer = new Peer({ fd: connection })
    expect([peer.pid, peer.uid, peer.gid, peer.groups]).toEqual([pid, 65534, 65534, [4001, 4002]])
    using pidfd = peer.pidfd()
    const pidIn = (one: Descriptor) =>
      /^Pid:\s+(-?\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${one.fd}`, 'latin1'))?.[1]
    expect(pidIn(pidfd)).toBe(String(pid))

    child.process.kill('SIGKILL')
    await child.end()
    // The process is gone, and the pidfd says so rather than name another one.
    expect(pidIn(pidfd)).toBe('-1')
    expect([peer.pid, peer.groups]).toEqual([pid, [4001, 4002]])
    try {
      using late = peer.pidfd()
      expect(pidIn(late)).toBe('-1')
    } catch (error) {
      expect(error).toBeInstanceOf(SystemError)
    }
    binding.closeFd(connection)
    listener.close()
    rmSync(directory, { recursive: true })
  })
})

describe('what has no peer', () => {
  it('is an error: a socket that is not connected, a file, nothing', () => {
    const directory = mkdtempSync('/tmp/pillion-peer-')
    const unconnected = binding.bindSocket(new TextEncoder().encode(`${directory}/s`), 0o600)
    expect(() => new Peer({ fd: unconnected })).toThrow(
      expect.objectContaining({
        code: 'ENOTCONN',
        syscall: 'getsockopt',
        message: expect.stringContaining('SO_PEERCRED'),
      }),
    )
    binding.closeFd(unconnected)
    rmSync(directory, { recursive: true })
    using file = Descriptor.own(openSync('/dev/null', 'r'))
    expect(() => new Peer(file)).toThrow(expect.objectContaining({ code: 'ENOTSOCK' }))
    expect(() => new Peer({ fd: 999_999 })).toThrow(expect.objectContaining({ code: 'EBADF' }))
  })

  it('is a source that was closed: credentials stay, nothing else is asked of a number that may be reused', () => {
    const source = Descriptor.dup(fd)
    const peer = new Peer(source)
    source.close()
    expect(peer.pid).toBe(process.pid)
    expect(() => peer.groups).toThrow(ClosedError)
    expect(() => peer.label).toThrow(ClosedError)
    expect(() => peer.pidfd()).toThrow(ClosedError)
    expect(() => new Peer(source)).toThrow(ClosedError)
  })
})
