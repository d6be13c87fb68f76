/**
 * Builds dist: tsup's CommonJS, then an ES module and its types for each entry. Quick when nothing changed.
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
  const tsup = spawnSync(process.execPath, ['node_modules/tsup/dist/cli-default.js', '--out-dir', next], {
    stdio: 'inherit',
  })
  if (tsup.status !== 0) process.exit(tsup.status ?? 1)
  writeEsmWrappers(next)
  compact(next)
  copyFileSync('node_modules/eventemitter3/LICENSE', join(next, 'LICENSE.eventemitter3')) // its code is in a chunk
  writeFileSync(join(next, STAMP), stamp)
  rmSync(previous, { recursive: true, force: true })
  if (existsSync(dist)) renameSync(dist, previous)
  renameSync(next, dist)
  rmSync(previous, { recursive: true, force: true })
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
