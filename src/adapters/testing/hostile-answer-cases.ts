/**
 * A peer that answers our calls, with descriptors where no caller looks for them, or answers twice, or to nobody's question.
 * What the caller is given is open, and the caller's; none of the others is open when the link is over.
 */
import type { Descriptor } from '../../stream/index.js'
import { type CallAdapter, serviceFor } from './call-link.js'
import { numbersIn } from './numbered-files.js'
import { type Case, expect, type On } from './trial.js'

/** What a frame has, as `packValue` makes it. Its descriptors are duplicates of the kit's, and are sent or closed. */
export interface HostileAnswer {
  readonly payload: Uint8Array | readonly Uint8Array[]
  readonly descriptors: readonly Descriptor[]
}

export function hostileAnswerCases(adapter: CallAdapter, on: On): Case[] {
  const { hostileAnswers } = adapter
  if (hostileAnswers === undefined) return []
  return [
    on('leaves no descriptor open of answers that a hostile peer makes up', async (trial) => {
      const file = trial.file(7)
      for (const [shape, answerTo] of hostileAnswers.entries()) {
        const [stream, peer] = trial.pair()
        peer.on('error', () => {}) // whose end it is does not matter
        let asked = 0
        peer.on('frame', (frame) => {
          const call = new Uint8Array(frame.payload)
          frame[Symbol.dispose]()
          // Twice: the second is an answer to nobody's question.
          for (let i = 0; i < 2 && !peer.destroyed; i++) {
            const answer = answerTo(call, file)
            if (answer === undefined) return
            if (i === 0) asked++
            peer.send(answer.payload, answer.descriptors, { transfer: true })
          }
        })
        const end = await adapter.attach(stream, serviceFor(trial, adapter))
        const calls = Array.from({ length: 20 }, (_, i) => closed(() => end.call('echo', i)))
        await trial.until('the calls', () => asked === calls.length || stream.destroyed || peer.destroyed)
        peer.end().catch(() => {}) // it may have been ended
        for (const call of calls) {
          const wrong = await trial.within(`answer ${shape}`, call)
          expect(wrong === undefined, `of answer ${shape}, the caller cannot use a descriptor: ${String(wrong)}`)
        }
        peer.destroy()
        await trial.within(`the closing behind answer ${shape}`, end.close())
        await trial.until(
          () => `${trial.openFiles - 1} descriptors of answer ${shape} stay open`,
          () => trial.openFiles === 1,
        )
      }
    }),
  ]
}

/** Reads and closes what the caller is given, in whichever way; what went wrong with that. */
async function closed(call: () => unknown): Promise<unknown> {
  const given = await settled(call)
  try {
    numbersIn(given)
    return undefined
  } catch (error) {
    return error
  }
}

async function settled(call: () => unknown): Promise<unknown> {
  try {
    return await call()
  } catch (error) {
    return error
  }
}
