/**
 * The command line of `npm run bench`.
 */
import { parseArgs } from 'node:util'
import { contenders } from './harness/contenders.js'
import { type Workload, workloads, workloadsNamed } from './harness/workloads.js'

export interface BenchOptions {
  readonly workloads: readonly Workload[]
  readonly contenders: readonly string[] | undefined
  readonly rounds: number
  readonly quick: boolean
  /** Of a round; and of the warming before. */
  readonly milliseconds: number
  readonly warmUp: number
  readonly json: string | undefined
}

const usage = `npm run bench -- [--only W2[,W3…]] [--contenders a,b] [--rounds N] [--quick] [--milliseconds N] [--json FILE]
  workloads: ${workloads.map(({ id }) => id).join(' ')}
  contenders: ${Object.keys(contenders).join(' ')}`

/** Somebody asked for the usage alone. */
export class HelpAsked extends Error {}

/** Of this process's command line. Ends the process where it says nothing that can be done. */
export function optionsOfCommandLine(): BenchOptions {
  try {
    return benchOptions(process.argv.slice(2))
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    process.exit(error instanceof HelpAsked ? 0 : 2)
  }
}

/** Throws an Error that says what is wrong. */
export function benchOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      contenders: { type: 'string' },
      rounds: { type: 'string' },
      milliseconds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) throw new HelpAsked('npm run bench: pillion beside others, in one run')
  const chosen = values.contenders?.split(',')
  for (const name of chosen ?? []) {
    if (contenders[name] === undefined)
      throw new Error(`no contender ${name}; there are ${Object.keys(contenders).join(', ')}`)
  }
  const milliseconds = wholeNumber('milliseconds', values.milliseconds, values.quick ? 120 : 1000)
  return {
    workloads: values.only === undefined ? workloads : workloadsNamed(values.only.split(',')),
    contenders: chosen,
    quick: values.quick,
    rounds: wholeNumber('rounds', values.rounds, values.quick ? 3 : 5),
    milliseconds,
    warmUp: Math.max(300, milliseconds * 2),
    json: values.json,
  }
}

function wholeNumber(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} is a whole number from 1 on, not ${text}`)
  return value
}
