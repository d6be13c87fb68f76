/**
 * The child's half of the talk with the harness: `NAME ARGUMENT` a line in, a line of JSON out.
 *
 * The first line out says that it is ready. The process ends with its input.
 */
import { createInterface } from 'node:readline'
import type { Answer, Metrics } from './setting.js'

export type Commands = Readonly<Record<string, (argument: number) => Metrics | Promise<Metrics>>>

/** What went wrong between the two ends, as a row will say it. */
export class BenchFailure extends Error {}

export function obey(commands: Commands): void {
  const lines = createInterface({ input: process.stdin })
  lines.on('line', (line) => void run(commands, line))
  lines.on('close', () => process.exit(0))
  answer({ ready: true })
}

async function run(commands: Commands, line: string): Promise<void> {
  const [name = '', argument = '0'] = line.split(' ')
  try {
    const command = commands[name]
    if (command === undefined) throw new BenchFailure(`no command ${name}`)
    answer({ metrics: await command(Number(argument)) })
  } catch (error) {
    answer({ failure: error instanceof BenchFailure ? error.message : String(error) })
  }
}

function answer(line: Answer): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
