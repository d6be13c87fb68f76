/**
 * The package as its users meet it: what is packed, what each entry exports to `import` and `require`, its types.
 *
 * Works on the built dist (pretest builds it) by the package's own name, which Node resolves inside the package.
 */
import { execFile } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'

const run = promisify(execFile)
const root = resolve(import.meta.dirname, '../..')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const adapters = readdirSync(join(root, 'src', 'adapters'))
  .filter((name) => name.endsWith('.ts') || existsSync(join(root, 'src', 'adapters', name, 'index.ts')))
  .map((name) => name.replace(/\.ts$/, ''))
  .sort()
const entries = Object.keys(manifest.exports)
  .filter((subpath) => subpath !== './package.json')
  .flatMap((subpath) => (subpath.includes('*') ? adapters.map((name) => subpath.replace('*', name)) : [subpath]))
  .map((subpath) => subpath.replace(/^\./, 'pillion'))

/** By their pages; the kit for authors is on docs/embedding.md. */
const documented = [...readdirSync(join(root, 'docs', 'adapters')).map((page) => page.replace(/\.md$/, '')), 'testing']

test('has the entries that it documents', () => {
  expect(entries).toEqual([
    'pillion',
    'pillion/transport',
    'pillion/framing',
    'pillion/framing/testing',
    'pillion/rpc',
    ...documented.sort().map((name) => `pillion/adapters/${name}`),
  ])
})

describe('the packed files', () => {
  test('are a package that works where nothing was built and no script is run', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pillion-packed-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    // The scripts of packing but for the builds, which other tests are using.
    await run(process.execPath, ['scripts/prebuild.mjs'], { cwd: root })
    const args = ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder]
    const { stdout } = await run('npm', args, { cwd: root })
    const modules = join(folder, 'node_modules')
    mkdirSync(join(modules, 'pillion'), { recursive: true })
    const tarball = join(folder, stdout.trim().split('\n').at(-1) as string)
    await run('tar', ['-xzf', tarball, '-C', join(modules, 'pillion'), '--strip-components=1'])
    for (const name of Object.keys(manifest.dependencies)) {
      symlinkSync(join(root, 'node_modules', name), join(modules, name))
    }
    const program = `
      import { Descriptor, pair } from 'pillion'
      import { readFileSync } from 'node:fs'
      const [a, b] = pair()
      a.send(Buffer.from('x'), [Descriptor.memfd(Buffer.from('carried'))], { transfer: true })
      for await (const { descriptors: [file] } of b) {
        console.log(readFileSync(file.fd, 'utf8'))
        break
      }
      a.destroy()
    `
    writeFileSync(join(folder, 'program.mjs'), program)
    const { stdout: said } = await run(process.execPath, ['program.mjs'], { cwd: folder })
    expect(said).toBe('carried\n')
  })

  test('hold every file that package.json points at, and nothing of the workshop', async () => {
    const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root })
    const report: unknown = JSON.parse(stdout)
    const [tarball] = (Array.isArray(report) ? report : Object.values(report as object)) as [
      { files: { path: string }[] },
    ]
    const packed = tarball.files.map(({ path }) => path)

    const pointedAt = targets(manifest.exports).flatMap((path) =>
      path.includes('*') ? adapters.map((name) => path.replace('*', name)) : [path],
    )
    expect(packed).toEqual(expect.arrayContaining(pointedAt))
    expect(packed).toContain('LICENSE')
    const allowed =
      /^(dist\/[\w-]+(\.d-[\w-]+)?\.(js|cjs|d\.ts|d\.cts)|docs\/.*|dist\/LICENSE\.eventemitter3|package\.json|README\.md|CHANGELOG\.md|LICENSE|prebuilds\/linux-\w+\/pillion\.node)$/
    expect(packed.filter((path) => !allowed.test(path))).toEqual([])
  })

  test('define each exported class in one file only', () => {
    const dist = readdirSync(join(root, 'dist')).filter((name) => name.endsWith('.cjs'))
    const sources = dist.map((name) => readFileSync(join(root, 'dist', name), 'utf8'))
    const definition = (name: string) => new RegExp(`\\bclass ${name}\\b|\\b${name}\\s*=\\s*class\\b`, 'g')
    const defined = (name: string) => sources.flatMap((source) => source.match(definition(name)) ?? [])

    expect(defined('PillionError')).toHaveLength(1)
    expect(defined('Descriptor')).toHaveLength(1)
  })
})

test.each(entries)('%s can be required by a CommonJS program, and gives import the very same things', async (entry) => {
  // A start is most of what this takes: one for both.
  const program = `
    const required = require('${entry}')
    import('${entry}').then((imported) => {
      const names = Object.keys(imported).sort()
      const different = names.filter((name) => imported[name] !== required[name])
      console.log(JSON.stringify({ imported: names, required: Object.keys(required).sort(), different }))
    })
  `
  const { stdout } = await run(process.execPath, ['--eval', program], { cwd: root })
  const names = JSON.parse(stdout)

  expect(names.imported.length).toBeGreaterThan(0)
  expect(names.imported).toEqual(names.required)
  expect(names.different).toEqual([])
})

test('has one Descriptor and one PillionError in a process, whatever the entry and the way', async () => {
  const counts = await evaluate<Record<string, number>>(`
    import { createRequire } from 'node:module'
    const require = createRequire(import.meta.url)
    const seen = { Descriptor: new Set(), PillionError: new Set() }
    for (const entry of ${JSON.stringify(entries)}) {
      for (const exported of [await import(entry), require(entry)]) {
        for (const name in seen) if (name in exported) seen[name].add(exported[name])
      }
    }
    console.log(JSON.stringify({ Descriptor: seen.Descriptor.size, PillionError: seen.PillionError.size }))
  `)

  expect(counts).toEqual({ Descriptor: 1, PillionError: 1 })
})

test('keeps the names of its error classes', async () => {
  const name = await evaluate<string>(`
    import { TimeoutError } from 'pillion'
    console.log(JSON.stringify(new TimeoutError('too late').name))
  `)
  expect(name).toBe('TimeoutError')
})

test('loads the framing without the addon', async () => {
  const loaded = await evaluate<string[]>(`
    import 'pillion/framing'
    console.log(JSON.stringify(process.report.getReport().sharedObjects.filter((file) => file.endsWith('pillion.node'))))
  `)
  expect(loaded).toEqual([])
})

test('loads no codec but its own for frame streams', async () => {
  const loaded = await evaluate<string[]>(`
    import { createRequire } from 'node:module'
    import { readFileSync } from 'node:fs'
    import 'pillion'
    const files = Object.keys(createRequire(import.meta.url).cache).filter((file) => file.endsWith('.cjs'))
    const named = /\\bfunction (?:pillion|raw|delimited|varlink|lengthPrefixed|contentLength|capnp|dbus|wayland)\\(/g
    console.log(JSON.stringify(files.flatMap((file) => readFileSync(file, 'utf8').match(named) ?? [])))
  `)
  expect(loaded).toEqual(['function pillion('])
})

test('loads no module of Node’s before the first frame that Node itself does without', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'pillion-first-')), 's')
  onTestFinished(() => rmSync(join(path, '..'), { recursive: true }))
  const loaded = await evaluate<string[]>(`
    import { connect, listen } from 'pillion'
    const server = await listen(${JSON.stringify(path)})
    const stream = await connect(server.address)
    stream.send(Buffer.from('first'))
    for await (const accepted of server) {
      for await (const frame of accepted) break
      break
    }
    const costly = /^NativeModule (?:net|stream|os|perf_hooks|worker_threads|timers\\/promises)$/
    const loaded = process.moduleLoadList.filter((name) => costly.test(name))
    stream.destroy()
    server.close()
    console.log(JSON.stringify(loaded))
  `)
  expect(loaded).toEqual([])
})

test('has types for import and for require, and they are the same types', { timeout: 60_000 }, async () => {
  const consumer = mkdtempSync(join(tmpdir(), 'pillion-consumer-'))
  onTestFinished(() => rmSync(consumer, { recursive: true }))
  mkdirSync(join(consumer, 'node_modules'))
  symlinkSync(root, join(consumer, 'node_modules', 'pillion'))
  symlinkSync(join(root, 'node_modules', '@types'), join(consumer, 'node_modules', '@types'))
  const imports = entries.map((entry, i) => `import * as entry${i} from '${entry}'\nexport { entry${i} }\n`).join('')
  writeFileSync(
    join(consumer, 'imported.mts'),
    `${imports}import type { Descriptor } from 'pillion'\nexport const fd = (descriptor: Descriptor): number => descriptor.fd\n`,
  )
  writeFileSync(
    join(consumer, 'required.cts'),
    `${imports}import { Descriptor } from 'pillion'\n` +
      'export const own = (): Descriptor => Descriptor.own(0)\n' +
      '// @ts-expect-error: proof that the types are no any\n' +
      'export const wrong: string = Descriptor.own(0)\n',
  )
  writeFileSync(
    join(consumer, 'both.mts'),
    "import { fd } from './imported.mjs'\nimport { own } from './required.cjs'\nexport const same: number = fd(own())\n",
  )
  writeFileSync(
    join(consumer, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        target: 'ES2022',
        lib: ['ES2022', 'ESNext.Disposable'],
        module: 'NodeNext',
        moduleResolution: 'NodeNext',
        strict: true,
        exactOptionalPropertyTypes: true,
        noEmit: true,
        types: ['node'],
      },
    }),
  )

  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const complaints = await run(process.execPath, [tsc, '-p', consumer]).then(
    () => '',
    (error: { stdout: string }) => error.stdout,
  )
  // Some libraries of the adapters are written for browsers, and their own types do not hold without those of the DOM;
  // capnp-es's do not hold with exactOptionalPropertyTypes. A line that is indented goes on from the one before.
  const theirs = /^(?:node_modules\/(?:capnp-es|capnweb|comlink)\/|\s|$)/
  expect(complaints.split('\n').filter((line) => !theirs.test(line))).toEqual([])
})

/** Runs an ES module inside the package and parses what it prints. */
async function evaluate<Result>(module: string): Promise<Result> {
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', module], { cwd: root })
  return JSON.parse(stdout)
}

/** Every file that a package.json `exports` object leads to, without the `./`. */
function targets(exported: unknown): string[] {
  if (typeof exported === 'string') return [exported.replace(/^\.\//, '')]
  return Object.values(exported as object).flatMap(targets)
}
