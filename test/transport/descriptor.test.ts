/** Descriptor: who owns a number, in each state: open, closed, taken, surrendered, forgotten. */
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { inspect } from 'node:util'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { ClosedError, SystemError, UsageError } from '../../src/errors.js'
import { adoptOwned, Descriptor, surrender } from '../../src/transport/descriptor.js'
import { binding } from '../../src/transport/native.js'
import { Seal } from '../../src/transport/system-calls.js'
import { startChild } from './children/run.js'

const isOpen = (fd: number) => existsSync(`/proc/self/fd/${fd}`)
const isClosedOnExec = (fd: number) => {
  const flags = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? '0'
  return (Number.parseInt(flags, 8) & 0o2000000) !== 0
}

describe('own', () => {
  it('takes over an open descriptor and closes it', () => {
    const fd = openSync('/dev/null', 'r')
    const descriptor = Descriptor.own(fd)
    expect(descriptor.fd).toBe(fd)
    expect(descriptor.closed).toBe(false)
    descriptor.close()
    expect(isOpen(fd)).toBe(false)
    expect(descriptor.closed).toBe(true)
  })

  it.each([-1, 1.5, Number.NaN, 2 ** 31, '3' as unknown as number, undefined as unknown as number])(
    'refuses %s as a number',
    (fd) => {
      expect(() => Descriptor.own(fd)).toThrow(UsageError)
      expect(() => Descriptor.dup(fd)).toThrow(UsageError)
    },
  )

  it('names the call, the errno and the number of one that is not open', () => {
    const failure = { code: 'EBADF', errno: -9, syscall: 'fcntl', address: 'fd 999999', origin: 'system' }
    expect(() => Descriptor.own(999_999)).toThrow(expect.objectContaining(failure))
    expect(() => Descriptor.dup(999_999)).toThrow(expect.objectContaining(failure))
    expect(() => Descriptor.own(999_999)).toThrow(SystemError)
  })

  it('refuses a number that another Descriptor owns, and leaves that one alone', () => {
    using first = Descriptor.memfd(1)
    const owned = binding.ledgerCount()
    expect(() => Descriptor.own(first.fd)).toThrow(UsageError)
    expect(binding.ledgerCount()).toBe(owned)
    expect(first.kind).toBe('memfd')
  })

  it('owns number 0, which is legal', async () => {
    const child = startChild('zero.ts')
    expect(await child.answer()).toEqual({ fd: 0, kind: 'socket', openAfterClose: false })
    expect(await child.end()).toBe(0)
  })
})

describe('a closed or taken Descriptor', () => {
  const states: [string, () => Descriptor][] = [
    ['closed', () => ended((descriptor) => descriptor.close())],
    ['disposed', () => ended((descriptor) => descriptor[Symbol.dispose]())],
    ['taken', () => ended((descriptor) => closeSync(descriptor.take()))],
    ['surrendered', () => ended((descriptor) => binding.closeFd(surrender(descriptor)))],
  ]

  it.each(states)('refuses every use once it is %s', (_state, make) => {
    const descriptor = make()
    expect(descriptor.closed).toBe(true)
    expect(() => descriptor.fd).toThrow(ClosedError)
    expect(() => descriptor.take()).toThrow(ClosedError)
    expect(() => descriptor.dup()).toThrow(ClosedError)
    expect(() => Descriptor.dup(descriptor)).toThrow(ClosedError)
    expect(() => descriptor.kind).toThrow(ClosedError)
    expect(() => surrender(descriptor)).toThrow(ClosedError)
    expect(inspect(descriptor)).toBe('Descriptor { closed }')
  })

  it.each(states)('never closes a stranger who got its number when it is closed again once %s', (_state, make) => {
    const descriptor = make()
    // The lowest free number is given out next, so one of these is the descriptor's old one.
    const strangers = Array.from({ length: 8 }, () => openSync('/dev/null', 'r'))
    descriptor.close()
    descriptor[Symbol.dispose]()
    expect(strangers.every(isOpen)).toBe(true)
    for (const fd of strangers) closeSync(fd)
  })

  function ended(end: (descriptor: Descriptor) => void): Descriptor {
    const descriptor = Descriptor.memfd(1)
    end(descriptor)
    return descriptor
  }
})

describe('handing over', () => {
  it('leaves a taken number open and in no ledger', () => {
    const owned = binding.ledgerCount()
    const fd = Descriptor.memfd(1).take()
    expect(binding.ledgerCount()).toBe(owned)
    expect(binding.closeFd(fd)).toBe(-9)
    expect(isOpen(fd)).toBe(true)
    closeSync(fd)
  })

  it('leaves a surrendered number open and in the ledger', () => {
    const owned = binding.ledgerCount()
    const fd = surrender(Descriptor.memfd(1))
    expect(binding.ledgerCount()).toBe(owned + 1)
    const again = adoptOwned(fd)
    expect(again.fd).toBe(fd)
    again.close()
    expect(binding.ledgerCount()).toBe(owned)
  })

  it('closes at the end of a using block', () => {
    let fd = -1
    {
      using descriptor = Descriptor.memfd(1)
      fd = descriptor.fd
      expect(isOpen(fd)).toBe(true)
    }
    expect(isOpen(fd)).toBe(false)
  })
})

describe('dup', () => {
  it('gives an independent number for the same open file, closed on exec', () => {
    using original = Descriptor.memfd(Buffer.from('abc'))
    using copy = original.dup()
    using another = Descriptor.dup(original)
    using third = Descriptor.dup(original.fd)
    expect(new Set([original.fd, copy.fd, another.fd, third.fd]).size).toBe(4)
    expect([copy, another, third].every(({ fd }) => isClosedOnExec(fd))).toBe(true)
    readSync(original.fd, Buffer.alloc(1))
    const rest = Buffer.alloc(2)
    expect(readSync(copy.fd, rest)).toBe(2)
    expect(rest.toString()).toBe('bc')
    original.close()
    expect(fstatSync(copy.fd).size).toBe(3)
  })
})

describe('memfd', () => {
  it('holds the content, at offset 0, sealed for good', () => {
    using memfd = Descriptor.memfd(Buffer.from('hello'), { name: 'greeting' })
    expect(readFileSync(memfd.fd, 'utf8')).toBe('hello')
    expect(isClosedOnExec(memfd.fd)).toBe(true)
    const all = Seal.seal | Seal.shrink | Seal.grow | Seal.write
    expect(binding.memfdSeals(memfd.fd) & all).toBe(all)
    expect(() => writeSync(memfd.fd, 'x', 0)).toThrow(expect.objectContaining({ code: 'EPERM' }))
  })

  it('is open to change when it is not sealed', () => {
    using memfd = Descriptor.memfd(Buffer.from('hello'), { seal: false })
    writeSync(memfd.fd, 'J', 0)
    expect(readFileSync(memfd.fd, 'utf8')).toBe('Jello')
    expect(binding.memfdSeals(memfd.fd) & (Seal.write | Seal.shrink | Seal.seal)).toBe(0)
  })

  it('has a size of zeros, unsealed; sealed, its size is fixed and its content is not', () => {
    using open = Descriptor.memfd(10)
    expect(fstatSync(open.fd).size).toBe(10)
    expect(binding.memfdSeals(open.fd) & Seal.shrink).toBe(0)
    using fixed = Descriptor.memfd(10, { seal: true })
    expect(binding.memfdSeals(fixed.fd) & 15).toBe(Seal.seal | Seal.shrink | Seal.grow)
    expect(writeSync(fixed.fd, 'x', 0)).toBe(1)
    expect(() => writeSync(fixed.fd, 'x', 10)).toThrow(expect.objectContaining({ code: 'EPERM' }))
  })

  it('takes a view of memory with its offset, and nothing at all', () => {
    using empty = Descriptor.memfd(new Uint8Array(0))
    expect(fstatSync(empty.fd).size).toBe(0)
    const bytes = new TextEncoder().encode('..view..')
    using view = Descriptor.memfd(bytes.subarray(2, 6))
    expect(readFileSync(view.fd, 'utf8')).toBe('view')
  })

  it('takes bytes of another realm, and nothing that only looks like bytes', () => {
    using memfd = Descriptor.memfd(runInNewContext('new Uint8Array([104, 105])') as Uint8Array)
    expect(readFileSync(memfd.fd, 'utf8')).toBe('hi')
    for (const sham of [Object.create(Uint8Array.prototype), new Proxy(new Uint8Array(2), {})] as Uint8Array[]) {
      expect(() => Descriptor.memfd(sham)).toThrow(UsageError)
    }
  })

  it.each([-1, 1.5, Number.POSITIVE_INFINITY, 'text' as unknown as number, new ArrayBuffer(1) as unknown as number])(
    'refuses %s as content',
    (content) => {
      expect(() => Descriptor.memfd(content)).toThrow(UsageError)
    },
  )

  it('has a name of up to 249 bytes without a NUL', () => {
    expect(() => Descriptor.memfd(1, { name: 'é'.repeat(125) })).toThrow(UsageError)
    expect(() => Descriptor.memfd(1, { name: 'a\0b' })).toThrow(UsageError)
    Descriptor.memfd(1, { name: `${'é'.repeat(124)}x` }).close()
  })
})

describe('kind', () => {
  it('tells files, directories, devices, pipes, sockets and memfds apart', () => {
    using file = Descriptor.own(openSync('/proc/self/exe', 'r'))
    using directory = Descriptor.own(openSync('/', 'r'))
    using device = Descriptor.own(openSync('/dev/null', 'r'))
    using memfd = Descriptor.memfd(1)
    const pair = binding.socketPair(1) as readonly [number, number]
    using one = adoptOwned(pair[0])
    using other = adoptOwned(pair[1])
    expect([file, directory, device, memfd, one, other].map(({ kind }) => kind)).toEqual([
      'file',
      'directory',
      'character',
      'memfd',
      'socket',
      'socket',
    ])
    using self = adoptOwned(binding.peerPidfd(one.fd))
    expect(self.kind).toBe('other')
  })

  it('takes no deleted file for a memfd', () => {
    const directory = mkdtempSync('/tmp/pillion-kind-')
    using deleted = Descriptor.own(openSync(`${directory}/memfd:x`, 'w+'))
    rmSync(directory, { recursive: true })
    expect(fstatSync(deleted.fd).nlink).toBe(0)
    expect(deleted.kind).toBe('file')
  })

  it('shows in inspect', () => {
    using memfd = Descriptor.memfd(1)
    expect(inspect(memfd)).toBe(`Descriptor { fd: ${memfd.fd}, kind: 'memfd' }`)
  })
})

describe('a forgotten Descriptor', () => {
  it('is closed by the collector with one warning a process, those taken or closed in time left alone, workers too', async () => {
    const child = startChild('forgetful.ts')
    expect(await child.answer()).toEqual({
      stillOpen: 0,
      takenIsOpen: true,
      heirIsOpen: true,
      owned: 0,
      warnings: ['PILLION_FORGOTTEN_DESCRIPTOR'],
      openInWorker: 2,
      openAfterWorker: 0,
    })
    expect(await child.end()).toBe(0)
  })
})
