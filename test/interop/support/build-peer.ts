/**
 * Builds the peers that are written in C, C++ and Go: test/interop/peers/NAME, into node_modules/.cache, once for each
 * state of its source.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const sources = fileURLToPath(new URL('../peers/', import.meta.url))
const cache = fileURLToPath(new URL('../../../node_modules/.cache/pillion-peers/', import.meta.url))

const compilers: Readonly<Record<string, readonly string[]>> = {
  '.c': ['gcc', '-std=c11'],
  '.cc': ['g++', '-std=c++17'],
  '.go': ['gccgo-12'],
}

/** The path of the program. `flags` are the compiler's: what to link, in the linker's order. */
export async function buildPeer(source: string, flags: readonly string[] = []): Promise<string> {
  const command = [...(compilers[extname(source)] ?? []), '-O1', '-Wall', '-Wextra', '-Werror']
  const state = createHash('sha256')
  state.update(readFileSync(join(sources, source))).update([...command, ...flags].join(' '))
  const program = join(cache, `${source.replace(/\.\w+$/, '')}-${state.digest('hex').slice(0, 16)}`)
  if (existsSync(program)) return program

  mkdirSync(cache, { recursive: true })
  // Another test file may be building the same one.
  const unfinished = `${program}.${process.pid}`
  const [compile, ...options] = [...command, '-o', unfinished, join(sources, source), ...flags]
  await promisify(execFile)(compile!, options)
  renameSync(unfinished, program)
  return program
}
