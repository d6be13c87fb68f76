/**
 * Puts the addon that was built here where the packed package looks for it: prebuilds/PLATFORM-ARCH. It is of Node-API, so
 * that one serves every version of Node; it is of this machine's C library, glibc, and of its version or later.
 *
 * A package for several architectures is packed where the others' have been put beside it.
 */
import { copyFileSync, mkdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const folder = join(root, 'prebuilds', `${process.platform}-${process.arch}`)
mkdirSync(folder, { recursive: true })
copyFileSync(join(root, 'native', 'build', 'Release', 'pillion.node'), join(folder, 'pillion.node'))
