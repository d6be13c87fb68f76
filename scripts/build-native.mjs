/**
 * Builds the addon: native/build/Release, or native/build/Debug under the sanitizers with --sanitize.
 *
 * The files are compiled as one, since most of each one's time went to the headers that all of them include: a build of
 * nothing takes less than a quarter of the CPU time that it took file by file. So a name of a file’s own is one
 * that no other file has.
 *
 * Configures only when what configuration depends on has changed, then lets make decide: nothing changed is half a
 * second. package.json runs it under flock(1), because two makes in one folder spoil each other's work.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const native = resolve(dirname(fileURLToPath(import.meta.url)), '..', 'native')
const stampFile = join(native, 'build', 'configured-for')
const nodeGyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js')

const sanitize = process.argv.includes('--sanitize')
const verbose = process.argv.includes('--verbose')
const stamp = JSON.stringify({
  folder: native,
  node: process.version,
  headers: headers(),
  gyp: readFileSync(join(native, 'binding.gyp'), 'utf8'),
})

if (!existsSync(stampFile) || readFileSync(stampFile, 'utf8') !== stamp) {
  run('configure')
  mkdirSync(dirname(stampFile), { recursive: true })
  writeFileSync(stampFile, stamp)
}
joinSources()
run('build', sanitize ? '--debug' : '--release', '--jobs=max')

function joinSources() {
  const file = join(native, 'build', 'pillion.cc')
  const names = readdirSync(native).filter((name) => name.endsWith('.cc'))
  const text = names
    .sort()
    .map((name) => `#include "../${name}"\n`)
    .join('')
  // make goes by the time.
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileSync(file, text)
}

function run(...command) {
  const where = headers()
  const argv = [nodeGyp, '--directory', native, '--loglevel', verbose ? 'verbose' : 'error', ...command]
  if (where !== undefined) argv.push(`--nodedir=${where}`)
  try {
    execFileSync(process.execPath, argv, { stdio: ['ignore', verbose ? 'inherit' : 'pipe', 'inherit'] })
  } catch (error) {
    // The compiler's messages are on stderr already; make's own lines say which file it was at.
    if (error.stdout) process.stderr.write(error.stdout)
    console.error(`the addon did not build (node-gyp ${command[0]})`)
    process.exit(1)
  }
}

/** Node's headers: where npm's configuration says, or installed beside this node; else node-gyp downloads them. */
function headers() {
  const configured = process.env.npm_config_nodedir
  if (configured) return configured
  const beside = resolve(dirname(process.execPath), '..')
  return existsSync(join(beside, 'include', 'node', 'node_api.h')) ? beside : undefined
}
