/**
 * Modules of Node's that few programs need at once, or at all: loaded when they are first asked for, since each takes its
 * part of a start.
 */
import { createRequire } from 'node:module'
import { addonPath } from './addon-path.js'

const load = createRequire(addonPath)

export function nodeNet(): typeof import('node:net') {
  return load('node:net')
}

export function workerThreads(): typeof import('node:worker_threads') {
  return load('node:worker_threads')
}
