/**
 * The load: `load.ts ADDRESS CONNECTIONS`. Connections that live all the time and always have requests under way, and
 * beside them ones that are made, used once and ended, one after the other. Every answer is checked; nothing is tried twice.
 */
import { connect, type FrameStream } from 'pillion'
import type { Report } from './handover.js'
import { decodeAnswer, encodeRequest } from './protocol.js'

const underWay = 4
const [address = '', connections = '1'] = process.argv.slice(2)
const failures: string[] = []
let requests = 0
let short = 0
let stopping = false
process.on('message', () => {
  stopping = true
})

await Promise.all([
  ...Array.from({ length: Number(connections) }, (_, i) => noting(`connection ${i}`, converse)),
  noting('a short connection', makeShortOnes),
])
tell({ report: 'load', requests, failures, short })
process.disconnect()

async function converse(): Promise<void> {
  await using stream = await connect(address)
  await ask(stream, () => !stopping)
}

async function makeShortOnes(): Promise<void> {
  for (; !stopping; short++) {
    await using stream = await connect(address)
    await ask(stream, (sent) => sent < 1)
  }
}

/** Asks for as long as `goesOn` says, then waits for the last answers. */
async function ask(stream: FrameStream, goesOn: (sent: number) => boolean): Promise<void> {
  const answers = stream[Symbol.asyncIterator]()
  let generation = 0
  let sent = 0
  for (let received = 0; ; received++) {
    for (; sent - received < underWay && goesOn(sent); sent++) stream.send(encodeRequest(sent, sizeOf(sent)))
    if (received === sent) break
    const next = await answers.next()
    if (next.done === true) throw new Error(`ended with ${sent - received} answers to come`)
    const answer = decodeAnswer(next.value.payload)
    if (answer.sequence !== received) throw new Error(`answer ${answer.sequence} came in place of ${received}`)
    if (answer.served !== received + 1) throw new Error(`request ${received + 1} was counted as ${answer.served}`)
    if (answer.generation < generation) throw new Error(`generation ${answer.generation} came after ${generation}`)
    generation = answer.generation
    if (++requests % 200 === 0) tell({ report: 'progress', requests })
  }
  await stream.end()
  if ((await answers.next()).done !== true) throw new Error('an answer came that nobody had asked for')
}

/** Every eighth does not fit into a socket's buffer, so that some request is on its way at any time. */
function sizeOf(sequence: number): number {
  return sequence % 8 === 7 ? 300_000 : sequence % 1000
}

async function noting(what: string, run: () => Promise<void>): Promise<void> {
  await run().catch((error: Error) => failures.push(`${what}: ${error.message}`))
}

function tell(report: Report): void {
  process.send?.(report)
}
