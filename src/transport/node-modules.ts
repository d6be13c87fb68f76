/**
 * Modules of Node's that few programs need at once, or at all: loaded when they are first asked for, since each takes its
 * part of a start.
 */
import { createRequire } from 'node:module'
import { addonPath } from './addon-path.js'

/** Of an absolute path, or of a module of Node's. dist is CommonJS: the build puts its own `require` here. */
export const load: NodeJS.Require = createRequire(addonPath)

export function nodeNet(): typeof import('node:net') {
  return load('node:net')
}

export function workerThreads(): typeof import('node:worker_threads') {
  return load('node:worker_threads')
}
