/**
 * Starting the broker and the worker: what each of them is given, and what the worker is denied.
 *
 * Each is bundled into one file, in a folder that holds nothing else but the addon: so a worker that may read this one
 * folder can start, and can read nothing else. Knows nothing of what the processes do.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'
import type { Answer, Order, Settings } from './orders.js'

const here = fileURLToPath(new URL('.', import.meta.url))
export const repository = resolve(here, '../..')
const addon = join('native', 'build', 'Release', 'pillion.node')

/** The folder with both programs. */
export function buildPrograms(): string {
  const folder = mkdtempSync(join(tmpdir(), 'pillion-demo-'))
  buildSync({
    entryPoints: [join(here, 'broker.ts'), join(here, 'worker.ts')],
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    logLevel: 'warning',
  })
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n') // marks where pillion looks for its addon
  cpSync(join(repository, addon), join(folder, addon))
  return folder
}

export function removePrograms(folder: string): void {
  rmSync(folder, { recursive: true })
}

export interface ProcessOptions {
  readonly settings: Settings
  /** Their ends of the connections: descriptors 3, 4, 5 … in the child. */
  readonly sockets: readonly number[]
  readonly confined: boolean
}

/** A started process, and its answers in order. */
export class Program {
  readonly #name: string
  readonly #child: ChildProcess
  readonly #answers: Answer[] = []
  #ended: string | undefined
  #wake = (): void => {}

  constructor(folder: string, name: 'broker' | 'worker', { settings, sockets, confined }: ProcessOptions) {
    this.#name = name
    const command = [
      process.execPath,
      ...(confined ? permissionFlags(folder) : []),
      join(folder, `${name}.mjs`),
      JSON.stringify(settings),
    ]
    // A descriptor table of the usual size: what the demo does must work there.
    this.#child = spawn('/bin/sh', ['-c', `ulimit -n ${settings.tableSize}; exec "$@"`, 'sh', ...command], {
      cwd: '/',
      stdio: ['ignore', 'inherit', 'inherit', ...sockets, 'ipc'],
    })
    this.#child.on('message', (answer) => {
      this.#answers.push(answer as Answer)
      this.#wake()
    })
    this.#child.on('error', (error) => {
      this.#ended = `the ${name} could not be started: ${error.message}`
      this.#wake()
    })
    this.#child.on('exit', (code, signal) => {
      this.#ended = `the ${name} ended with ${signal ?? `exit code ${code}`}`
      this.#wake()
    })
  }

  order(order: Order): void {
    this.#child.send(order)
  }

  /** The next answer of this kind. Progress goes to `onProgress`. Rejects if the process ends instead. */
  async answer<Kind extends Answer['answer']>(
    kind: Kind,
    onProgress?: (progress: Extract<Answer, { answer: 'progress' }>) => void,
  ): Promise<Extract<Answer, { answer: Kind }>> {
    for (;;) {
      const answer = this.#answers.shift()
      if (answer?.answer === kind) return answer as Extract<Answer, { answer: Kind }>
      if (answer?.answer === 'progress') onProgress?.(answer)
      else if (answer !== undefined) throw new Error(`the ${this.#name} answered ${answer.answer} instead of ${kind}`)
      else if (this.#ended !== undefined) throw new Error(this.#ended)
      else await new Promise<void>((wake) => (this.#wake = wake))
    }
  }

  /** Asks it to end; if main has failed, there is no asking. */
  stop(how: 'ask' | 'kill'): void {
    if (this.#ended !== undefined) return
    if (how === 'ask') this.order({ order: 'quit' })
    else this.#child.kill('SIGKILL')
  }
}

/** Node's permission model: may read this folder and load an addon; nothing else of files, processes and threads. */
function permissionFlags(folder: string): string[] {
  const stable = process.allowedNodeEnvironmentFlags.has('--permission')
  return [
    stable ? '--permission' : '--experimental-permission',
    `--allow-fs-read=${join(folder, '*')}`,
    '--allow-addons',
    '--disable-warning=ExperimentalWarning',
    '--disable-warning=SecurityWarning',
  ]
}
