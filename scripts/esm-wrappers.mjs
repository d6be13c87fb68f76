/**
 * Writes, beside each CommonJS entry of the package, the ES module that re-exports it by name, and its types.
 *
 * The entry is required, not imported: for an import, Node would first scan its source for names. The names come from the entry itself, without running it: running it would load the addon, which a build of
 * JavaScript need not have. The types are those of the CommonJS entry: one declaration of each class, not two.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export function writeEsmWrappers(folder) {
  const entries = readdirSync(folder).filter((name) => name.endsWith('.cjs') && !name.startsWith('chunk-'))
  if (entries.length === 0) throw new Error(`no CommonJS entry in ${folder}`)
  for (const entry of entries) {
    const names = exportedNames(readFileSync(join(folder, entry), 'utf8'))
    if (names.length === 0) throw new Error(`${entry} exports nothing that could be found`)
    const stem = entry.slice(0, -'.cjs'.length)
    writeFileSync(
      join(folder, `${stem}.js`),
      `import { createRequire } from 'node:module'\n\nexport const {\n${names.map((name) => `  ${name},\n`).join('')}} = createRequire(import.meta.url)('./${entry}')\n`,
    )
    writeFileSync(join(folder, `${stem}.d.ts`), `export * from './${entry}'\n`)
  }
}

/** From the object that it exports: names, each perhaps with the local one behind it. */
function exportedNames(source) {
  const list = /^module\.exports = \{([^}]*)\};$/m.exec(source)?.[1] ?? ''
  return Array.from(list.matchAll(/([\w$]+)(?:: [\w$]+)?/g), ([, name]) => name)
}
