/**
 * What a service manager passes, played by a shell: it names itself in LISTEN_PID, then becomes the process under test.
 */
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { programAt } from '../support/programs.js'

const child = fileURLToPath(new URL('children/inherited.ts', import.meta.url))

interface Seen {
  readonly first: unknown
  readonly variables: readonly string[]
  readonly second: unknown
}

/** @param environment `$$` stands for the process's own number */
async function passing(environment: string, ...args: readonly string[]): Promise<Seen> {
  const folder = openSync('/', 'r')
  onTestFinished(() => closeSync(folder))
  const manager = spawn(
    '/bin/sh',
    ['-c', `${environment} exec "$@"`, 'sh', process.execPath, ...programAt(child), ...args],
    { stdio: ['ignore', 'pipe', 'inherit', 'pipe', folder] },
  )
  onTestFinished(() => void (manager.stdio[3] as NodeJS.ReadableStream & { destroy(): void }).destroy())
  return JSON.parse(await text(manager.stdout!))
}

const variables = ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']
const both = (first: string, second: string) => [
  [first, 3, 'socket', true],
  [second, 4, 'directory', true],
]

it('takes over what was passed, with its names, and leaves no child to believe that it is its own', async () => {
  const seen = await passing('LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:files')
  expect(seen).toEqual({ first: both('web', 'files'), variables: [], second: [] })
})

it('calls them unknown when nobody named them', async () => {
  const seen = await passing('LISTEN_PID=$$ LISTEN_FDS=2')
  expect(seen.first).toEqual(both('unknown', 'unknown'))
})

it('leaves alone what was passed to another process', async () => {
  const seen = await passing('LISTEN_PID=1 LISTEN_FDS=2 LISTEN_FDNAMES=web:files')
  expect(seen).toEqual({ first: [], variables: [], second: [] })
})

it('finds nothing when nothing was passed', async () => {
  expect((await passing('LISTEN_PID=$$')).first).toEqual([])
  expect((await passing('LISTEN_PID=$$ LISTEN_FDS=0 LISTEN_FDNAMES=')).first).toEqual([])
})

it.each([
  ['LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web', 'LISTEN_FDNAMES has 1 name(s) for the 2 descriptor(s)'],
  ['LISTEN_PID=$$ LISTEN_FDS=-1', "LISTEN_FDS is a number, not '-1'"],
  ['LISTEN_PID=me LISTEN_FDS=1', "LISTEN_PID is a number, not 'me'"],
])('refuses %s, and changes nothing', async (environment, message) => {
  const seen = await passing(environment)
  expect(seen.first).toContain(`UsageError: ${message}`)
  expect(seen.variables).toEqual(variables.slice(0, environment.split(' ').length))
  expect(seen.second).toEqual(seen.first)
})

it('owns nothing when one of them is not open', async () => {
  // Had the first look kept any, the second would call it owned.
  const seen = await passing('LISTEN_PID=$$ LISTEN_FDS=100000')
  expect(seen.first).toMatch(/^SystemError: fcntl fd \d+: EBADF$/)
  expect(seen).toEqual({ first: seen.first, variables: variables.slice(0, 2), second: seen.first })
})

it('is the main thread’s alone', async () => {
  const seen = await passing('LISTEN_PID=$$ LISTEN_FDS=2', 'worker')
  expect(seen.first).toContain('UsageError: inherited descriptors are the main thread’s')
})
