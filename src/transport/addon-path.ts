/**
 * Where the addon lies: in the package's own folder, found from this module's: one that was built there, as in a clone, or
 * the one that was packed for this platform.
 *
 * The same code runs from src/transport (tests, examples) and from dist (the package), so it walks up to the
 * nearest package.json rather than count folders. It loads nothing, and nothing in the environment can redirect it:
 * whoever could would run native code of their own here.
 */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = packageRoot()
const built = join(root, 'native', 'build', 'Release', 'pillion.node')
const packed = join(root, 'prebuilds', `${process.platform}-${process.arch}`, 'pillion.node')

/** Absolute. The file need not be there: loading it says what is wrong better than a check could. */
export const addonPath: string = !isThere(built) && isThere(packed) ? packed : built

function packageRoot(): string {
  // dist is CommonJS, where `import.meta` is no syntax: the build puts undefined for `import.meta.url`.
  const here = typeof __dirname === 'string' ? __dirname : dirname(fileURLToPath(import.meta.url))
  for (let folder = here; ; folder = dirname(folder)) {
    if (isThere(join(folder, 'package.json'))) return folder
    if (dirname(folder) === folder) throw new Error(`no package.json above ${here}: pillion cannot find its addon`)
  }
}

function isThere(path: string): boolean {
  try {
    return existsSync(path)
  } catch {
    return false // Node's permission model throws for a path that it does not let one look at
  }
}
