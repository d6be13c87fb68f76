/**
 * Runs the tests under each supported major version of Node, all with the one addon built before.
 *
 * The versions come from npm's `node-linux-*` packages (what the `node` package installs), kept under
 * node_modules/.cache; the one that runs this script stands for its own major. `-- 22` runs only that one, `-- others`
 * all but the one that runs this script; further arguments go on to vitest.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const cache = join(root, 'node_modules', '.cache', 'pillion')
const MAJORS = ['20', '22', '24']

const own = process.versions.node.split('.')[0]
const [wanted, forVitest] = parse(process.argv.slice(2))

const failed = []
for (const major of wanted) {
  const node = nodeOf(major)
  const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()
  console.log(`\nNode ${version} (${node})`)
  const { status } = spawnSync(node, ['node_modules/vitest/vitest.mjs', 'run', ...forVitest], {
    cwd: root,
    stdio: 'inherit',
    // Children that call `node` get the same one.
    env: { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` },
  })
  if (status !== 0) failed.push(version)
}
console.log(failed.length === 0 ? '\nNo version failed.' : `\nFailed under Node ${failed.join(', ')}.`)
process.exit(failed.length === 0 ? 0 : 1)

function parse(args) {
  if (args[0] === 'others') return [MAJORS.filter((major) => major !== own), args.slice(1)]
  const named = args.filter((argument) => MAJORS.includes(argument))
  return [named.length > 0 ? named : MAJORS, args.filter((argument) => !MAJORS.includes(argument))]
}

function nodeOf(major) {
  if (own === major) return process.execPath
  const name = `node-linux-${process.arch}`
  const folder = join(cache, `node-${major}`)
  const node = join(folder, 'node_modules', name, 'bin', 'node')
  if (!existsSync(node)) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies: { [name]: major } }))
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'], {
      cwd: folder,
      stdio: 'inherit',
    })
    const { version } = JSON.parse(readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8'))
    console.log(`installed ${name} ${version} from npm`)
  }
  return node
}
