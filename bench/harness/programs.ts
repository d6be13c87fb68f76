/**
 * What the contenders run as: compiled and installed on first use, and again when a source is newer.
 *
 * What cannot be had (no compiler, no network, no Cap'n Proto) makes its contenders rows that say so.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'

const run = promisify(execFile)
const bench = fileURLToPath(new URL('../', import.meta.url))
const native = join(bench, 'native')
const built = join(bench, '.build')
const npm = join(bench, 'npm')

export type Need = 'node' | 'npm' | 'sockets' | 'spin' | 'capnp'

const makers: Readonly<Record<Need, () => Promise<void>>> = {
  node: () => bundle(join(bench, 'contenders'), built),
  npm: installPeers,
  sockets: () => compile('sockets', ['sockets.c', 'connection.c'], ['connection.h', 'payloads.h']),
  spin: () => compile('spin', ['spin.c'], []),
  capnp: compileCapnp,
}

const made = new Map<Need, Promise<void>>()

/** Rejects with an Error that says in a line why it cannot be had. */
export function provide(need: Need): Promise<void> {
  const making = made.get(need) ?? makers[need]().catch((error: unknown) => Promise.reject(inALine(error)))
  made.set(need, making)
  return making
}

/** A contender's script; `cold-…` and the others of bench/contenders import the built pillion. */
export function scriptOf(need: 'node' | 'npm', name: string): string {
  return join(need === 'npm' ? join(npm, '.build') : built, `${name}.js`)
}

export function binaryOf(name: string): string {
  return join(built, name)
}

async function bundle(from: string, to: string): Promise<void> {
  const entries = readdirSync(from).filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
  await build({
    entryPoints: entries.map((name) => join(from, name)),
    outdir: to,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    // Without the project's `paths`: `pillion` is what its users get, dist.
    tsconfigRaw: '{}',
    logLevel: 'silent',
  })
}

async function installPeers(): Promise<void> {
  const lock = join(npm, 'package-lock.json')
  const installed = join(npm, 'node_modules', '.package-lock.json')
  if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) {
    await run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: npm })
  }
  await bundle(npm, join(npm, '.build'))
}

async function compile(name: string, sources: readonly string[], headers: readonly string[]): Promise<void> {
  const output = binaryOf(name)
  if (isNewer(output, [...sources, ...headers])) return
  mkdirSync(built, { recursive: true })
  await run('gcc', ['-O2', '-Wall', '-Wextra', '-Werror', '-o', output, ...sources], { cwd: native })
}

async function compileCapnp(): Promise<void> {
  const output = binaryOf('capnp_rpc')
  if (isNewer(output, ['capnp_rpc.cc', 'bench.capnp'])) return
  mkdirSync(built, { recursive: true })
  await run('capnp', ['compile', `-oc++:${built}`, 'bench.capnp'], { cwd: native })
  const libraries = ['-lcapnp-rpc', '-lcapnp', '-lkj-async', '-lkj']
  const sources = ['capnp_rpc.cc', join(built, 'bench.capnp.c++')]
  await run('g++', ['-std=c++17', '-O2', `-I${built}`, '-o', output, ...sources, ...libraries], { cwd: native })
}

function isNewer(output: string, sources: readonly string[]): boolean {
  if (!existsSync(output)) return false
  return sources.every((name) => statSync(join(native, name)).mtimeMs < statSync(output).mtimeMs)
}

function inALine(error: unknown): Error {
  const { code, path, stderr, message } = error as NodeJS.ErrnoException & { stderr?: string }
  if (code === 'ENOENT') return new Error(`not installed: ${path}`)
  const line = (stderr ?? '').split('\n').find((text) => text.trim() !== '')
  return new Error(`could not be built: ${line ?? message}`)
}
