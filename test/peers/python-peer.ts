/**
 * Peers in Python at the other end of a stream's socket. They are forked by one process a test file (peer.py), since
 * starting Python takes a tenth of a second.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { FrameStream, type StreamOptions } from '../../src/stream/index.js'
import { streamSettings } from '../../src/stream/options.js'
import { adoptOwned } from '../../src/transport/descriptor.js'
import { pairUnix } from '../../src/transport/index.js'
import { binding } from '../../src/transport/native.js'
import { isMet } from '../support/needs.js'

/** What a peer is to do: the name of one of peer.py's steps, and what that takes. Text is bytes, latin1. */
export type Step =
  | readonly ['send', text: string, tokens?: readonly number[]]
  | readonly ['flood', text: string, tokens: readonly number[], most: number]
  | readonly ['say', value: string]
  | readonly ['receive', seed: number]
  | readonly ['wait' | 'await_input' | 'end' | 'close' | 'busy']

export interface PythonPeer {
  readonly stream: FrameStream
  /** What the peer says next. */
  answer(): Promise<unknown>
  /** Lets it go on from its `wait`. */
  goOn(): void
}

let nursery: { readonly process: ChildProcess; readonly stream: FrameStream } | undefined

beforeAll(() => {
  if (!isMet({ command: 'python3' })) return
  const [ours, theirs] = pairUnix()
  const process = spawn('python3', [join(import.meta.dirname, 'peer.py')], {
    stdio: ['ignore', 'inherit', 'inherit', theirs],
  })
  binding.closeFd(theirs)
  nursery = { process, stream: FrameStream.over(ours, streamSettings({})) }
})

afterAll(async () => {
  if (nursery === undefined) return
  const exited = once(nursery.process, 'exit')
  nursery.stream.destroy()
  await exited
})

/** Starts a peer. When the test has finished, the stream is destroyed and the peer's `wait` at an end. */
export function startPeer(steps: readonly Step[], options: StreamOptions = {}): PythonPeer {
  if (nursery === undefined) throw new Error('this needs python3')
  const [ours, theirs] = pairUnix()
  const [control, theirControl] = pairUnix()
  const sockets = [theirs, theirControl].map(adoptOwned)
  nursery.stream.send(Buffer.from(JSON.stringify(steps)), sockets, { transfer: true })
  const stream = FrameStream.over(ours, streamSettings(options))
  const talk = FrameStream.over(control, streamSettings({}))
  const answers = talk[Symbol.asyncIterator]()
  onTestFinished(() => {
    stream.destroy()
    talk.destroy()
  })
  return {
    stream,
    async answer() {
      const answer = await answers.next()
      if (answer.done) throw new Error('the peer ended before it answered')
      return JSON.parse(Buffer.from(answer.value.payload).toString())
    },
    goOn: () => void talk.send(Buffer.from('go on')),
  }
}
