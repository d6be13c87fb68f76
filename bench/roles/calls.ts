/**
 * The process of a contender that makes calls: a server, or a client in one pattern. What comes back is compared each time.
 */
import { Laps } from './laps.js'
import { BenchFailure, type Commands, obey } from './obey.js'
import { type Metrics, type RpcPattern, type Setting, settingOf } from './setting.js'

const text = '0123456789abcdef'.repeat(4)
const lanes = 64
/** Calls of a chain: `counter`, then `next` on what the one before promises, and the `value` of the last. */
export const chainLength = 8

export interface Caller {
  echo(text: string): PromiseLike<string>
  /** What the last of the chain's calls gives: one for each counter on the way. */
  chain?(): PromiseLike<number>
}

export interface Server {
  listen(setting: Setting): Promise<void>
  connect(setting: Setting): Promise<Caller>
}

export async function makeCalls(server: Server): Promise<void> {
  const setting = settingOf(process.argv)
  if (setting.role === 'server') {
    await server.listen(setting)
    obey({})
    return
  }
  const caller = await server.connect(setting)
  obey(commands(caller, setting.pattern as RpcPattern))
}

export function commands(caller: Caller, pattern: RpcPattern): Commands {
  if (pattern === 'flight') return { run: (milliseconds) => inFlight(caller, milliseconds) }
  return { run: (milliseconds) => oneAtATime(caller, pattern, milliseconds) }
}

async function oneAtATime(caller: Caller, pattern: 'echo' | 'chain', milliseconds: number): Promise<Metrics> {
  const laps = new Laps()
  let last = performance.now()
  const until = last + milliseconds
  while (last < until) {
    if (pattern === 'echo') checkEcho(await caller.echo(text))
    else checkChain(await caller.chain?.())
    const now = performance.now()
    laps.add(now - last)
    last = now
  }
  return laps.take()
}

async function inFlight(caller: Caller, milliseconds: number): Promise<Metrics> {
  let calls = 0
  const began = performance.now()
  const until = began + milliseconds
  async function lane(): Promise<void> {
    do {
      checkEcho(await caller.echo(text))
      calls++
    } while (performance.now() < until)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return { operations: calls, calls: calls / ((performance.now() - began) / 1000) }
}

function checkEcho(answer: string): void {
  if (answer !== text) throw new BenchFailure('the text came back changed')
}

function checkChain(value: number | undefined): void {
  if (value !== chainLength - 1) throw new BenchFailure(`the chain gave ${value}`)
}
