/**
 * Hot restarts under load: `npx tsx examples/hot-restart/main.ts [--connections 50] [--restarts 3] [--forget]`
 *
 * A server hands its listening socket and its live connections to its successor, several times, while a load generator
 * keeps all of them busy and checks every answer. Exit code 1 if a request failed, a connection ended, a server did not
 * end by itself, or a socket was left open. `--forget` loses the connections' state on purpose, to show that it counts.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Program } from './program.js'

const { values } = parseArgs({
  options: {
    connections: { type: 'string', default: '50' },
    restarts: { type: 'string', default: '3' },
    forget: { type: 'boolean', default: false },
  },
})
const restarts = Number(values.restarts)
const folder = mkdtempSync(join(tmpdir(), 'pillion-restart-'))
const address = join(folder, 'service')
const failures: string[] = []
const leaked: string[] = []
const started: Program[] = []
try {
  await demonstrate()
} catch (error) {
  failures.push((error as Error).message)
  for (const program of started) program.kill()
} finally {
  await Promise.all(started.map((program) => program.exited))
  rmSync(folder, { recursive: true })
}
console.log(failures.length === 0 ? '\nNothing failed.' : '\nFAILED:')
for (const failure of failures.slice(0, 10)) console.log(`  ${failure}`)
process.exitCode = failures.length === 0 ? 0 : 1

async function demonstrate(): Promise<void> {
  let server = start('server', '1', address, controlOf(1))
  await server.next('ready')
  const load = start('load', address, values.connections)
  let handedOver = 0
  for (let generation = 2; generation <= restarts + 1; generation++) {
    await load.next('progress')
    const sabotage = values.forget ? ['--forget'] : []
    const successor = start(
      'server',
      `${generation}`,
      address,
      controlOf(generation),
      controlOf(generation - 1),
      ...sabotage,
    )
    const { connections = 0, inFrame = 0 } = (await successor.next('ready')).handedOver ?? {}
    handedOver += 1 + connections
    console.log(
      `generation ${generation} has the listening socket and ${connections} connections, ${inFrame} within a frame`,
    )
    await ended(server)
    server = successor
    load.drop('progress')
  }
  await load.next('progress')
  load.send('stop')
  const { requests, short, failures: failed } = await load.next('load')
  server.terminate()
  await ended(server)

  const counts = { requests, failures: failed.length, restarts, 'short connections': short }
  console.log(`\n${tableOf({ ...counts, 'descriptors handed over': handedOver, leaked: leaked.length })}`)
  failures.push(...failed, ...leaked.map((socket) => `left open: ${socket}`))
}

function start(name: 'server' | 'load', ...args: string[]): Program {
  const program = new Program(name, args)
  started.push(program)
  return program
}

async function ended(server: Program): Promise<void> {
  leaked.push(...(await server.next('ended')).leaked)
  const code = await server.exited
  if (code !== 0) failures.push(`a server ended with ${code}`)
}

function controlOf(generation: number): string {
  return join(folder, `control-${generation}`)
}

function tableOf(row: Readonly<Record<string, number>>): string {
  const cells = Object.entries(row).map(([name, value]) => [name, value.toLocaleString('en-US')] as const)
  const widths = cells.map(([name, value]) => Math.max(name.length, value.length))
  return [0, 1].map((line) => cells.map((cell, i) => cell[line as 0 | 1].padStart(widths[i]!)).join('  ')).join('\n')
}
