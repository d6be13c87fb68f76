/**
 * The TypeScript programs that tests run in processes of their own, each bundled into one file: a loader that compiles every
 * module in every process takes several times as long as what most of them do.
 *
 * Knows nothing of vitest.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, renameSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const root = resolve(import.meta.dirname, '../..')
/** Not deleted by anybody: the next run has the same ones, if the sources are the same. */
const folder = join(root, 'node_modules/.cache/pillion/programs')

/** Node reads the map at each start: it does without the sources, which are there. */
const sourceMaps = ['--sourcemap=inline', '--sources-content=false', `--source-root=${root}/`]

const bundled = new Map<string, string>()

/** What Node has to be told to run the program of that path; arguments of the program's own come behind. */
export function programAt(path: string): string[] {
  const file = bundled.get(path) ?? bundle(path)
  bundled.set(path, file)
  return ['--enable-source-maps', '--expose-gc', file]
}

/** The text of the one module, by esbuild with those flags beside the usual ones. */
export function bundleOf(path: string, flags: readonly string[] = []): string {
  return esbuild(
    [path],
    [
      // What lies beside the source, and the addon, is found from there.
      `--define:import.meta.url=${JSON.stringify(pathToFileURL(path).href)}`,
      `--define:import.meta.filename=${JSON.stringify(path)}`,
      `--define:import.meta.dirname=${JSON.stringify(dirname(path))}`,
      // For modules that were CommonJS.
      "--banner:js=import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
      ...flags,
    ],
  )
}

/** For programs that start one another, and look for each other beside themselves: a folder for them, the caller's to remove. */
export function bundledTogether(paths: readonly string[]): string {
  mkdirSync(folder, { recursive: true })
  const together = mkdtempSync(join(folder, 'together-'))
  esbuild(paths, [...sourceMaps, `--outdir=${together}`, '--out-extension:.js=.mjs', '--log-level=warning'])
  return together
}

function bundle(path: string): string {
  const text = bundleOf(path, sourceMaps)
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 16)
  const file = join(folder, `${basename(path, '.ts')}-${hash}.mjs`)
  mkdirSync(folder, { recursive: true })
  const mine = `${file}.${process.pid}` // others may be about it as well
  writeFileSync(mine, text)
  renameSync(mine, file)
  return file
}

function esbuild(paths: readonly string[], flags: readonly string[]): string {
  const usual = ['--bundle', '--platform=node', '--target=node20', '--format=esm', '--packages=external']
  // Its own process, since esbuild's JavaScript would leave descriptors open here.
  return execFileSync(join(root, 'node_modules/.bin/esbuild'), [...paths, ...usual, ...flags], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
}
