/**
 * Where the libraries' tests come from: a commit each of their public repositories, into a folder that git ignores. None of it
 * is part of pillion.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import type { Suite } from './suites.js'

const root = resolve(import.meta.dirname, '../..')

/** Of the tests, as they were fetched. */
export function folderOf({ name, commit }: Suite): string {
  return join(root, '.build/peer-suites', `${name}-${commit.slice(0, 12)}`)
}

/**
 * Fetches them unless they are there. With `clones` from the folder OWNER/NAME in it instead of GitHub: a git repository that has
 * the commit, or else plain files, which nobody checks.
 */
export function fetchTests(suite: Suite, clones: string | undefined): void {
  const folder = folderOf(suite)
  const complete = join(folder, '.complete') // only what is of that commit
  if (existsSync(complete)) return
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const clone = clones === undefined ? undefined : resolve(clones, suite.repository)
  const plain = clone !== undefined && existsSync(clone) && !isRepository(clone)
  if (plain) {
    console.log(`${suite.name}: the files in ${clone}, whatever commit they are of`)
    cpSync(clone, folder, { recursive: true })
  } else {
    const git = (...args: string[]) =>
      execFileSync('git', args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
    git('init', '--quiet')
    git('fetch', '--quiet', '--depth', '1', clone ?? `https://github.com/${suite.repository}`, suite.commit)
    git('-c', 'advice.detachedHead=false', 'checkout', '--quiet', 'FETCH_HEAD')
  }
  forgetConfiguration(folder)
  if (suite.schemas !== undefined) compileSchemas(folder, suite.schemas)
  if (!plain) writeFileSync(complete, '')
}

function isRepository(folder: string): boolean {
  return existsSync(join(folder, '.git')) || existsSync(join(folder, 'HEAD'))
}

/** It would be obeyed here: a package that finds itself, not built, and compiler options of packages that are not installed. */
function forgetConfiguration(folder: string): void {
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (/^(package|tsconfig.*)\.json$/.test(basename(file))) rmSync(join(folder, file))
  }
}

/** By the compiler in capnp-ts's repository: the one on npm is older. Needs the command `capnp`. */
function compileSchemas(folder: string, schemas: string): void {
  const cwd = join(folder, schemas)
  const files = readdirSync(cwd).filter((file) => file.endsWith('.capnp'))
  const request = execFileSync('capnp', ['compile', '-o-', ...files], { cwd, env: { ...process.env, PWD: cwd } })
  const compiler = join(folder, 'packages/capnpc-ts/src/index.ts')
  const program = `import { run } from ${JSON.stringify(compiler)}\nvoid run()`
  const script = join(folder, 'compile-schemas.ts')
  writeFileSync(script, program)
  execFileSync(process.execPath, ['--import', 'tsx', script], {
    cwd,
    input: request,
    stdio: ['pipe', 'ignore', 'inherit'],
  })
}
