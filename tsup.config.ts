/**
 * The package's JavaScript: CommonJS, in chunks that its entries share, so that each class exists once in a process.
 *
 * Two full builds would be two `Descriptor` classes when one program imports and requires pillion. So there is one
 * implementation, and scripts/build.mjs writes ES modules that re-export it. tsup's own split CommonJS rewrites
 * classes and optional chaining into helpers (and error names with them): here esbuild splits ES modules, and
 * scripts/common-js.ts then translates the imports and exports of each.
 */
import { existsSync, readdirSync } from 'node:fs'
import { defineConfig } from 'tsup'
import { asCommonJs } from './scripts/common-js.js'

const target = 'node20'

/** A file of src/adapters, or a folder with an index.ts, is an entry by its name. Other folders are shared by adapters. */
const adapters = readdirSync('src/adapters').flatMap((found) => {
  const name = found.replace(/\.ts$/, '')
  const file = [`src/adapters/${name}.ts`, `src/adapters/${name}/index.ts`].find((path) => existsSync(path))
  return file === undefined ? [] : [[`adapters-${name}`, file] as const]
})

const entry = {
  index: 'src/stream/index.ts',
  transport: 'src/transport/index.ts',
  framing: 'src/framing/index.ts',
  'framing-testing': 'src/framing/testing/index.ts',
  rpc: 'src/rpc/index.ts',
  ...Object.fromEntries(adapters),
}

/** What scripts/build.mjs has had tsc make of it. */
function declarationsOf(file: string): string {
  return file.replace(/^src/, '.dist-next/declarations').replace(/\.ts$/, '.d.ts')
}

const declarations = Object.fromEntries(Object.entries(entry).map(([name, file]) => [name, declarationsOf(file)]))

export default defineConfig([
  {
    entry,
    format: ['esm'],
    splitting: true,
    target,
    platform: 'node',
    outExtension: () => ({ js: '.cjs' }),
    removeNodeProtocol: false,
    // Finding and loading a package takes longer than all of this one's code; scripts/build.mjs adds its licence.
    noExternal: ['eventemitter3'],
    // CommonJS has no import.meta; src/transport/addon-path.ts, its only user, has __dirname there.
    define: { 'import.meta.url': 'undefined' },
    // CommonJS has its own `require`: node:module, and making one, would take their part of a start.
    esbuildPlugins: [
      {
        name: 'require',
        setup(build) {
          build.onResolve({ filter: /^node:module$/ }, ({ path }) => ({ path, namespace: 'require' }))
          build.onLoad({ filter: /./, namespace: 'require' }, () => ({
            contents: 'export const createRequire = () => module.require',
          }))
        },
      },
    ],
    plugins: [
      {
        name: 'commonjs',
        renderChunk: (code) => ({
          code: asCommonJs(code),
        }),
      },
    ],
    silent: true,
  },
  // The format decides the types' file names (.d.cts); the ES modules' .d.ts re-export them.
  { entry: declarations, format: ['cjs'], dts: { only: true }, silent: true },
])
