/** The file of a listening socket: its mode, stale and living ones, rivals, and whose file is removed. */
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PermissionError, SystemError } from '../../src/errors.js'
import { Listener } from '../../src/transport/listener.js'
import { binding } from '../../src/transport/native.js'
import { Errno } from '../../src/transport/system-calls.js'
import { needs } from '../support/needs.js'
import { startChild } from './children/run.js'

let directory = ''
let path = ''
const mask = process.umask()

beforeEach(() => {
  directory = mkdtempSync('/tmp/pillion-file-')
  path = `${directory}/s`
})

afterEach(() => {
  process.umask(mask)
  rmSync(directory, { recursive: true })
})

const modeOf = (file: string) => statSync(file).mode & 0o7777
const encode = (text: string) => new TextEncoder().encode(text)

/** A socket file without a socket, as a killed server leaves it. */
function leaveStale(file = path): void {
  expect(binding.closeFd(binding.bindSocket(encode(file), 0o600))).toBe(0)
  expect(existsSync(file)).toBe(true)
}

describe('the mode', () => {
  it.each([0o000, 0o022, 0o077, 0o177, 0o277, 0o777])('is exactly what was asked for under umask %i', async (umask) => {
    process.umask(umask)
    for (const mode of [undefined, 0o600, 0o660, 0o666, 0o777, 0o000]) {
      using _listener = await Listener.listen(path, mode === undefined ? {} : { mode })
      expect(modeOf(path)).toBe(mode ?? 0o600)
    }
  })

  it('is never wider, seen by a process that looks all the time, and nobody slips in', async (ctx) => {
    needs(ctx, 'root')
    chmodSync(directory, 0o755)
    process.umask(0)
    const spy = startChild('spy.ts', [path])
    expect(await spy.answer()).toBe('ready')
    for (let i = 0; i < 400; i++) {
      using _listener = await Listener.listen(path)
      expect(modeOf(path)).toBe(0o600)
      if (i % 10 === 0) await new Promise(setImmediate)
    }
    spy.process.stdin?.end()
    expect(await spy.answer()).toEqual({ modes: ['600'], looks: true, connected: 0 })
    await spy.end()
  })

  it('keeps out who may not write the file: PermissionError', async (ctx) => {
    needs(ctx, 'root')
    chmodSync(directory, 0o755)
    using listener = await Listener.listen(path)
    listener.accept({ onConnection: (fd) => binding.closeFd(fd), onError: () => undefined })
    const child = startChild('unprivileged.ts')
    await child.answer()
    child.tell(`connect ${path}`)
    expect(await child.answer()).toBe('ERR_PILLION_PERMISSION')
    await child.end()
    expect(listener.refused).toBe(0)
  })
})

describe('a stale file', () => {
  it('is replaced', async () => {
    leaveStale()
    using listener = await Listener.listen(path)
    expect(listener.closed).toBe(false)
    expect(binding.probeSocket(encode(path))).toBe(Errno.EPROTOTYPE)
  })

  it('is replaced by exactly one of two processes that both want it', async () => {
    const rivals = [startChild('rival.ts'), startChild('rival.ts')]
    const answers = () => Promise.all(rivals.map((rival) => rival.answer()))
    expect(await answers()).toEqual(['ready', 'ready'])
    for (let round = 0; round < 40; round++) {
      leaveStale()
      for (const rival of rivals) rival.tell(path)
      expect((await answers()).sort()).toEqual(['EADDRINUSE', 'listening'])
      for (const rival of rivals) rival.tell('close')
      expect(await answers()).toEqual(['closed', 'closed'])
      expect(existsSync(path)).toBe(false)
    }
    expect(await Promise.all(rivals.map((rival) => rival.end()))).toEqual([0, 0])
  })

  it('is replaced once when many in this process want it', async () => {
    leaveStale()
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => Listener.listen(path)))
    const listeners = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
    const codes = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason.code] : []))
    for (const listener of listeners) listener.close()
    expect([listeners.length, codes]).toEqual([1, Array(7).fill('EADDRINUSE')])
  })

  it('of a server that was killed is replaced', async () => {
    const server = startChild('rival.ts')
    await server.answer()
    server.tell(path)
    expect(await server.answer()).toBe('listening')
    await expect(Listener.listen(path)).rejects.toMatchObject({ code: 'EADDRINUSE' })
    server.process.kill('SIGKILL')
    expect(await server.end()).toBe(null)
    expect(existsSync(path)).toBe(true)
    ;(await Listener.listen(path)).close()
  })

  it('is left alone by whom its mode keeps from asking whether anybody lives there', async (ctx) => {
    needs(ctx, 'root')
    chmodSync(directory, 0o777)
    leaveStale()
    const child = startChild('unprivileged.ts')
    await child.answer()
    child.tell(`listen ${path}`)
    expect(await child.answer()).toBe('EADDRINUSE')
    await child.end()
    expect(existsSync(path)).toBe(true)
  })
})

describe('what is no stale file', () => {
  const inUse = { code: 'EADDRINUSE', errno: -98, syscall: 'bind' }

  it('is left alone: a living server, which notices nothing', async () => {
    using living = await Listener.listen(path)
    let connections = 0
    living.accept({
      onError: () => undefined,
      onConnection: (fd) => {
        connections++
        binding.closeFd(fd)
      },
    })
    await expect(Listener.listen(path)).rejects.toMatchObject({ ...inUse, address: path })
    await expect(Listener.listen(path)).rejects.toThrow(/living server/)
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
    expect([connections, existsSync(path)]).toEqual([0, true])
  })

  it('is left alone: a server that is bound and does not listen yet', async () => {
    const fd = binding.bindSocket(encode(path), 0o600)
    await expect(Listener.listen(path)).rejects.toThrow(/living server/)
    expect(existsSync(path)).toBe(true)
    binding.closeFd(fd)
  })

  it('is left alone: a living server whose backlog is full', async () => {
    const fd = binding.bindSocket(encode(path), 0o600)
    binding.listenSocket(fd, 0)
    const client = binding.connectSocket(encode(path))
    expect(binding.connectSocket(encode(path))).toBe(-11)
    await expect(Listener.listen(path)).rejects.toThrow(/living server/)
    for (const number of [fd, client]) binding.closeFd(number)
  })

  it('is left alone: a regular file, a directory, a link to a stale socket, a dangling link', async () => {
    leaveStale(`${directory}/stale`)
    writeFileSync(`${directory}/file`, 'precious')
    mkdirSync(`${directory}/directory`)
    symlinkSync(`${directory}/stale`, `${directory}/link`)
    symlinkSync(`${directory}/nowhere`, `${directory}/dangling`)
    for (const name of ['file', 'directory', 'link', 'dangling']) {
      await expect(Listener.listen(`${directory}/${name}`)).rejects.toMatchObject({
        ...inUse,
        message: expect.stringContaining('no socket'),
      })
      expect(lstatSync(`${directory}/${name}`)).toBeDefined()
    }
    expect(readFileSync(`${directory}/file`, 'utf8')).toBe('precious')
    expect(existsSync(`${directory}/stale`)).toBe(true)
    expect(existsSync(`${directory}/nowhere`)).toBe(false)
  })
})

describe('the lock of the directory', () => {
  it('is waited for, and given back', async () => {
    const lock = binding.lockDirectory(directory)
    expect(lock).toBeGreaterThanOrEqual(0)
    expect(binding.lockDirectory(directory)).toBe(-11)
    let listening = false
    const listener = Listener.listen(path).then((made) => {
      listening = true
      return made
    })
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
    expect([listening, existsSync(path)]).toEqual([false, false])
    binding.unlockDirectory(lock)
    ;(await listener).close()
    expect(binding.unlockDirectory(binding.lockDirectory(directory))).toBe(0)
  })

  it('is waited for a second at most: anybody who may read the directory could hold it for ever', async () => {
    const lock = binding.lockDirectory(directory)
    leaveStale()
    const before = performance.now()
    ;(await Listener.listen(path)).close()
    expect(performance.now() - before).toBeGreaterThan(900)
    binding.unlockDirectory(lock)
  })

  it('is no longer waited for when the signal is aborted', async () => {
    const lock = binding.lockDirectory(directory)
    const reason = new Error('never mind')
    const controller = new AbortController()
    const listening = Listener.listen(path, { signal: controller.signal })
    controller.abort(reason)
    await expect(listening).rejects.toBe(reason)
    binding.unlockDirectory(lock)
    expect(existsSync(path)).toBe(false)
  })

  it('is done without where the directory may not be read', async (ctx) => {
    needs(ctx, 'root')
    chmodSync(directory, 0o711)
    const inner = `${directory}/inner`
    mkdirSync(inner)
    chownSync(inner, 65534, 65534)
    chmodSync(inner, 0o300)
    const child = startChild('unprivileged.ts')
    await child.answer()
    for (let i = 0; i < 2; i++) {
      child.tell(`listen ${inner}/s`)
      expect(await child.answer()).toBe('listened')
    }
    await child.end()
  })

  it('is given back also when listening fails', async () => {
    writeFileSync(path, '')
    await expect(Listener.listen(path)).rejects.toThrow(SystemError)
    const lock = binding.lockDirectory(directory)
    expect(lock).toBeGreaterThanOrEqual(0)
    binding.unlockDirectory(lock)
  })
})

describe('closing', () => {
  it('removes the file', async () => {
    const listener = await Listener.listen(path)
    listener.close()
    expect(existsSync(path)).toBe(false)
  })

  it('removes no file that took its place', async () => {
    const listener = await Listener.listen(path)
    unlinkSync(path)
    using successor = await Listener.listen(path)
    listener.close()
    expect(existsSync(path)).toBe(true)
    expect(successor.closed).toBe(false)
    await expect(Listener.listen(path)).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })

  it('removes no file of another kind that took its place', async () => {
    const listener = await Listener.listen(path)
    unlinkSync(path)
    writeFileSync(path, 'kept')
    listener.close()
    expect(readFileSync(path, 'utf8')).toBe('kept')
  })

  it('minds no file that is gone, nor a directory that is', async () => {
    const first = await Listener.listen(path)
    unlinkSync(path)
    first.close()
    mkdirSync(`${directory}/deep`)
    const second = await Listener.listen(`${directory}/deep/s`)
    rmSync(`${directory}/deep`, { recursive: true })
    second.close()
    expect([first.closed, second.closed]).toEqual([true, true])
  })

  it('finds the file of a relative path from any working directory', async () => {
    const home = process.cwd()
    try {
      process.chdir(directory)
      const listener = await Listener.listen('relative')
      process.chdir('/')
      expect(existsSync(`${directory}/relative`)).toBe(true)
      listener.close()
      expect(existsSync(`${directory}/relative`)).toBe(false)
    } finally {
      process.chdir(home)
    }
  })
})

describe('a path that cannot be bound', () => {
  it('is named, with the call and the errno', async () => {
    const missing = `${directory}/missing/s`
    await expect(Listener.listen(missing)).rejects.toMatchObject({ code: 'ENOENT', syscall: 'bind', address: missing })
  })

  it('is a PermissionError where the directory may not be written', async (ctx) => {
    needs(ctx, 'root')
    chmodSync(directory, 0o755)
    const child = startChild('unprivileged.ts')
    await child.answer()
    child.tell(`listen ${path}`)
    expect(await child.answer()).toBe(new PermissionError('').code)
    await child.end()
  })

  it('leaves no descriptor behind', async () => {
    const before = binding.ledgerCount()
    await expect(Listener.listen(`${directory}/${'x'.repeat(107 - directory.length - 1)}/`)).rejects.toThrow()
    expect(binding.ledgerCount()).toBe(before)
  })
})
