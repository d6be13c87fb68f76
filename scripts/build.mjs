/**
 * Builds dist: tsc's declarations, tsup's CommonJS, then an ES module and its types for each entry. Quick when nothing changed.
 *
 * It builds beside dist and swaps, so that a program or test that is loading dist never meets half of it.
 * package.json runs it under flock(1), which makes concurrent builds wait for one another.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { transformSync } from 'esbuild'
import { writeEsmWrappers } from './esm-wrappers.mjs'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const next = join(root, '.dist-next')
const previous = join(root, '.dist-old')
const dist = join(root, 'dist')
/** In dist, what it was built from; package.json keeps it out of the package. */
const STAMP = '.built-from'

process.chdir(root)
const stamp = hashOfInputs()
if (!existsSync(join(dist, STAMP)) || readFileSync(join(dist, STAMP), 'utf8') !== stamp) build()

function build() {
  rmSync(next, { recursive: true, force: true })
  // tsup would compile the sources once more for each entry: it joins declarations in a tenth of the time.
  run('node_modules/typescript/bin/tsc', '--project', 'tsconfig.declarations.json')
  run('node_modules/tsup/dist/cli-default.js', '--out-dir', next)
  rmSync(join(next, 'declarations'), { recursive: true })
  writeEsmWrappers(next)
  compact(next)
  copyFileSync('node_modules/eventemitter3/LICENSE', join(next, 'LICENSE.eventemitter3')) // its code is in a chunk
  writeFileSync(join(next, STAMP), stamp)
  rmSync(previous, { recursive: true, force: true })
  if (existsSync(dist)) renameSync(dist, previous)
  renameSync(next, dist)
  rmSync(previous, { recursive: true, force: true })
}

function run(...command) {
  const { status } = spawnSync(process.execPath, command, { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

/**
 * Takes comments and indentation out of the CommonJS: a third of the bytes, each of which a start reads, keeps and looks
 * through. Names stay, and lines are short, for those who read a stack.
 */
function compact(folder) {
  for (const name of readdirSync(folder).filter((found) => found.endsWith('.cjs'))) {
    const file = join(folder, name)
    const options = { target: 'node20', minifyWhitespace: true, minifySyntax: true, lineLimit: 120 }
    writeFileSync(file, transformSync(readFileSync(file, 'utf8'), options).code)
  }
}

function hashOfInputs() {
  const inputs = [
    'package-lock.json',
    'tsconfig.declarations.json',
    'tsconfig.json',
    'tsup.config.ts',
    'scripts/build.mjs',
    'scripts/common-js.ts',
    'scripts/esm-wrappers.mjs',
  ]
  const sources = readdirSync('src', { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
  const hash = createHash('sha256')
  for (const file of [...inputs, ...sources.sort()]) hash.update(`${file}\0`).update(readFileSync(file))
  return hash.digest('hex')
}
