/**
 * The layers' import directions, held by biome.json: what must be refused is, and what is needed is not.
 *
 * Runs the real linter with the real settings over small files that stand where the layers' own files do.
 */
import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')

const ALLOWED: readonly (readonly [file: string, source: string])[] = [
  ['src/errors.ts', "import 'node:util'"],
  ['src/transport/a.ts', "import './native.js'"],
  ['src/arguments.ts', "import './errors.js'"],
  ['src/transport/b.ts', "import '../errors.js'"],
  ['src/transport/e.ts', "import { nextTick } from '../event-loop.js'\nnextTick(() => {})"],
  ['src/transport/d.ts', "import '../arguments.js'"],
  ['src/transport/c.ts', "import 'node:fs'"],
  ['src/framing/a.ts', "import './codec.js'"],
  ['src/framing/b.ts', "import '../errors.js'"],
  ['src/framing/d.ts', "import '../arguments.js'"],
  ['src/framing/c.ts', "import 'node:util'"],
  ['src/framing/pairing/a.ts', "import '../codec.js'"],
  ['src/framing/pairing/b.ts', "import '../../errors.js'"],
  ['src/framing/pairing/f.ts', "import '../../arguments.js'"],
  ['src/stream/a.ts', "import './frame.js'"],
  ['src/stream/b.ts', "import '../errors.js'"],
  ['src/stream/c.ts', "import '../transport/unix-socket.js'"],
  ['src/stream/d.ts', "import '../framing/index.js'"],
  ['src/stream/e.ts', "import 'eventemitter3'"],
  ['src/rpc/a.ts', "import '../stream/index.js'"],
  ['src/rpc/b.ts', "import '../transport/index.js'"],
  ['src/rpc/machine/a.ts', "import '../values/encode.js'"],
  ['src/rpc/machine/b.ts', "import '../../errors.js'"],
  ['src/rpc/machine/c.ts', "import { queueMicrotask } from '../../event-loop.js'\nqueueMicrotask(() => {})"],
  ['src/stream/l.ts', "import '../event-loop.js'"],
  ['src/adapters/k.ts', "import '../event-loop.js'"],
  ['src/rpc/transports/a.ts', "import '../../stream/index.js'"],
  ['src/adapters/a.ts', "import '../stream/index.js'"],
  ['src/adapters/b.ts', "import '../rpc/index.js'"],
  ['src/adapters/c.ts', "import '../transport/index.js'"],
  ['src/adapters/d.ts', "import '../framing/index.js'"],
  ['src/adapters/e.ts', "import '../errors.js'"],
  ['src/adapters/many/a.ts', "import './b.js'"],
  ['src/adapters/many/b.ts', "import '../../stream/index.js'"],
  ['src/adapters/many/c.ts', "import '../capnp/attached.js'"],
  ['src/adapters/many/d.ts', "import '../link/value-link.js'"],
]

const REFUSED: readonly (readonly [file: string, source: string])[] = [
  ['src/errors.ts', "import './transport/index.js'"],
  ['src/arguments.ts', "import './transport/index.js'"],
  ['src/transport/f.ts', "import '../framing/index.js'"],
  ['src/transport/g.ts', "import '../stream/index.js'"],
  ['src/transport/h.ts', "import 'pillion'"],
  ['src/transport/i.ts', "import type { Codec } from '../framing/codec.js'\nexport type Own = Codec"],
  ['src/transport/j.ts', "export * from '../stream/frame.js'"],
  ['src/transport/k.ts', "export const later = import('../framing/index.js')"],
  ['src/transport/deep/l.ts', "import '../../framing/index.js'"],
  ['src/framing/f.ts', "import '../transport/index.js'"],
  ['src/framing/g.ts', "import '../stream/index.js'"],
  ['src/framing/h.ts', "import 'node:fs'"],
  ['src/framing/i.ts', "import 'node:fs/promises'"],
  ['src/framing/j.ts', 'setTimeout(() => {}, 1)'],
  ['src/framing/k.ts', "import 'pillion/transport'"],
  ['src/framing/pairing/c.ts', "import '../../transport/index.js'"],
  ['src/framing/pairing/d.ts', "import 'node:net'"],
  ['src/framing/pairing/e.ts', 'export const now = Date.now()'],
  ['src/framing/l.ts', "import '../event-loop.js'"],
  ['src/transport/o.ts', 'setImmediate(() => {})'],
  ['src/rpc/machine/j.ts', "import { setTimeout } from '../../event-loop.js'\nsetTimeout(() => {}, 1)"],
  ['src/rpc/machine/k.ts', 'queueMicrotask(() => {})'],
  ['src/rpc/o.ts', 'export const now = performance.now()'],
  ['src/stream/f.ts', "import '../rpc/index.js'"],
  ['src/stream/g.ts', "import '../adapters/index.js'"],
  ['src/stream/h.ts', "import 'pillion'"],
  ['src/rpc/f.ts', "import '../framing/index.js'"],
  ['src/rpc/g.ts', "import '../transport/unix-socket.js'"],
  ['src/rpc/h.ts', "import '../adapters/index.js'"],
  ['src/rpc/stubs/f.ts', "import '../../framing/index.js'"],
  ['src/rpc/machine/f.ts', "import '../../stream/index.js'"],
  ['src/rpc/machine/g.ts', "import 'node:net'"],
  ['src/rpc/machine/h.ts', 'setTimeout(() => {}, 1)'],
  ['src/rpc/values/f.ts', "import '../transports/frame-stream-transport.js'"],
  ['src/adapters/f.ts', "import './birpc.js'"],
  ['src/adapters/g.ts', "import '../stream/frame-stream.js'"],
  ['src/adapters/h.ts', "import '../rpc/values/encode.js'"],
  ['src/adapters/i.ts', "import 'pillion'"],
  ['src/adapters/many/f.ts', "import '../birpc.js'"],
  ['src/adapters/many/g.ts', "import '../testing/index.js'"],
  ['src/adapters/many/h.ts', "import '../../transport/descriptor.js'"],
]

/** Adapters whose library has another name than theirs, or several. */
const LIBRARIES: Readonly<Record<string, readonly string[]>> = {
  'capnp-es': ['capnp-es', 'capnp-ts'],
  'grpc-js': ['@grpc/grpc-js'],
}

test('lets each layer import what lies below it', async () => {
  expect(await refusedBy(ALLOWED)).toEqual([])
})

test('refuses every import that points the wrong way', async () => {
  expect(await refusedBy(REFUSED)).toEqual(REFUSED.map(([file]) => file).sort())
})

test('lets a library be imported by its adapter alone, and everywhere only what is installed with pillion', () => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
    peerDependencies: Record<string, string>
  }
  const strangers = foreignImports().filter(({ file, library }) => {
    if (library in manifest.dependencies) return false
    const [, adapter = ''] = /^adapters\/([\w-]+)/.exec(file) ?? []
    const own = LIBRARIES[adapter] ?? [adapter]
    return !(own.includes(library) && library in manifest.peerDependencies)
  })

  expect(foreignImports().map(({ library }) => library)).toContain('msgpackr')
  expect(strangers).toEqual([])
})

/** Every import in src of what is neither ours nor Node's. */
function foreignImports(): { readonly file: string; readonly library: string }[] {
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  )
  return files.flatMap((file) => {
    const source = readFileSync(join(root, 'src', file), 'utf8')
    const found = source.matchAll(/(?:^|[\s}])(?:from|import) ?\(?'([^'./][^']*)'/gm)
    return [...found].flatMap(([, specifier = '']) => {
      const library = /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier
      return specifier.startsWith('node:') ? [] : [{ file, library }]
    })
  })
}

/** The files in which the linter finds a forbidden import or global. */
async function refusedBy(files: readonly (readonly [file: string, source: string])[]): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'pillion-layers-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  copyFileSync(join(root, 'biome.json'), join(folder, 'biome.json'))
  for (const [file, source] of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), `${source}\n`)
  }
  const report = await lint(folder)
  const found = report.diagnostics.filter(({ category }) =>
    /^lint\/style\/noRestricted(Imports|Globals)$/.test(category),
  )
  return [...new Set(found.map(({ location }) => location.path))].sort()
}

interface Report {
  readonly diagnostics: readonly { readonly category: string; readonly location: { readonly path: string } }[]
}

function lint(folder: string): Promise<Report> {
  const biome = join(root, 'node_modules', '@biomejs', 'biome', 'bin', 'biome')
  return new Promise((settle, fail) => {
    const argv = [biome, 'lint', '--reporter=json', '--max-diagnostics=none', '.']
    execFile(process.execPath, argv, { cwd: folder, encoding: 'utf8' }, (_error, stdout, stderr) => {
      try {
        settle(JSON.parse(stdout))
      } catch {
        fail(new Error(`the linter's report is unreadable: ${stdout}${stderr}`))
      }
    })
  })
}
