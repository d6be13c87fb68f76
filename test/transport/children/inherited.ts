/** Prints what it inherited: name, descriptor, kind, whether it is closed on exec; then what a second look finds. */
import { readFileSync } from 'node:fs'
import { isMainThread, Worker } from 'node:worker_threads'
import { inheritedDescriptors } from '../../../src/transport/index.js'

function look(): unknown {
  try {
    return inheritedDescriptors().map(({ name, descriptor: { fd, kind } }) => [name, fd, kind, closedOnExec(fd)])
  } catch (error) {
    const { name, message } = error as Error
    return `${name}: ${message}`
  }
}

function closedOnExec(fd: number): boolean {
  const flags = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '0'
  return (Number.parseInt(flags, 8) & 0o2000000) !== 0
}

const variables = () => Object.keys(process.env).filter((name) => name.startsWith('LISTEN_'))

if (process.argv[2] === 'worker' && isMainThread) new Worker(new URL('./inherited-worker.mjs', import.meta.url))
else console.log(JSON.stringify({ first: look(), variables: variables(), second: look() }))
