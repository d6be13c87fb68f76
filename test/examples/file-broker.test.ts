/** The broker gives out what lies below its directory, to whom it may, and nothing else. */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { needs } from '../support/needs.js'
import { run, Started } from './program.js'

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'pillion-broker-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  mkdirSync(join(folder, 'below', 'further'), { recursive: true })
  writeFileSync(join(folder, 'readme'), 'at the top\n')
  writeFileSync(join(folder, 'below', 'further', 'deep'), 'three steps down\n')
  symlinkSync('/etc/passwd', join(folder, 'link'))
  symlinkSync('/etc', join(folder, 'below', 'etc'))
  execFileSync('mkfifo', [join(folder, 'pipe')])
  return folder
}

test('the client lists directories and reads files by descriptors, however deep, and the broker ends well', {
  timeout: 60_000,
}, async () => {
  const address = `@pillion-broker-${process.pid}`
  const broker = await Started.serving('file-broker/broker.ts', [address, makeFolder()])
  const client = await run('file-broker/client.ts', [address, '/', '/below/', '/readme', 'below/further/deep'])

  const read = ['at the top', 'three steps down']
  expect(client).toEqual({ status: 0, stdout: lines('below/', 'readme', 'further/', ...read), stderr: '' })
  expect(await broker.end()).toBe(0)
})

test('nothing leads out of the directory, and what is no regular file is not opened', { timeout: 60_000 }, async () => {
  const address = `@pillion-broker-out-${process.pid}`
  const broker = await Started.serving('file-broker/broker.ts', [address, join(makeFolder(), 'below', '..')])
  const refusals = {
    '/link': 'link: ELOOP',
    '/below/etc/passwd': 'etc: ENOTDIR',
    '/../readme': 'a name is one step down',
    '/below/./further/deep': 'a name is one step down',
    '/pipe': 'pipe is no regular file: pipe',
    '/below': 'below is no regular file: directory',
    '/nowhere': 'nowhere: ENOENT',
  }
  const client = await run('file-broker/client.ts', [address, ...Object.keys(refusals)])

  expect(client).toEqual({ status: 1, stdout: '', stderr: lines(...Object.values(refusals)) })
  expect(await broker.end()).toBe(0)
})

test('another user is given what is public, by the uid that the kernel tells', { timeout: 60_000 }, async (context) => {
  needs(context, 'root')
  const folder = makeFolder()
  mkdirSync(join(folder, 'public'))
  writeFileSync(join(folder, 'public', 'notice'), 'for everybody\n')
  chmodSync(join(folder, 'public', 'notice'), 0o600) // nobody could open it without the broker
  const address = `@pillion-broker-other-${process.pid}`
  const broker = await Started.serving('file-broker/broker.ts', [address, folder])
  const nobody = 65534

  const client = await run('file-broker/client.ts', [address, '/', '/notice', '/readme'], nobody)
  expect(client).toEqual({ status: 1, stdout: lines('notice', 'for everybody'), stderr: lines('readme: ENOENT') })
  expect(await broker.end()).toBe(0)
})

function lines(...all: string[]): string {
  return all.map((line) => `${line}\n`).join('')
}
