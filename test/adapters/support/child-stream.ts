/**
 * A stream to a process of its own: a program beside these tests that takes the socket which is its descriptor 3.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished } from 'vitest'
import { adopt, type Descriptor, type FrameStream, type StreamOptions } from '../../../src/stream/index.js'
import { adoptOwned } from '../../../src/transport/descriptor.js'
import { pairUnix } from '../../../src/transport/index.js'
import { programAt } from '../../support/programs.js'

export interface ChildOptions extends StreamOptions {
  readonly args?: readonly string[]
  /** Of the child's open descriptors. */
  readonly limit?: number
}

/** Destroyed at the end of the test; the child has to exit properly then. */
export function childStream(program: string, { args = [], limit, ...options }: ChildOptions): FrameStream {
  const [ours, theirs] = pairUnix().map(adoptOwned) as [Descriptor, Descriptor]
  const path = fileURLToPath(new URL(`../children/${program}`, import.meta.url))
  const ulimit = limit === undefined ? '' : `ulimit -n ${limit}; `
  const command = ['-c', `${ulimit}exec "$@"`, 'sh', process.execPath, ...programAt(path), ...args]
  const child = spawn('/bin/sh', command, {
    stdio: ['ignore', 'inherit', 'inherit', theirs.fd],
    // Warnings are emitted, for those who look, but not printed.
    env: { ...process.env, NODE_NO_WARNINGS: '1' },
  })
  theirs.close()
  const exited = once(child, 'exit')
  const stream = adopt(ours, options)
  onTestFinished(async () => {
    stream.destroy()
    expect(await exited).toEqual([0, null])
  })
  return stream
}
