/**
 * How a link with calls ends: whichever way, no call is left pending, and neither end open.
 */
import { PillionError } from '../../errors.js'
import { type CallAdapter, type CallEnd, expectSame, type Link, linkOf, serviceFor } from './call-link.js'
import { endedBefore, overBefore } from './endings.js'
import type { Case, On } from './trial.js'

export function callEndingCases(adapter: CallAdapter, on: On): Case[] {
  const ways: readonly (readonly [name: string, end: (link: Link) => unknown])[] = [
    ['the peer closes', ({ far }) => far.close()],
    ['the peer is lost', ({ streams }) => streams[1].destroy()],
    ['the peer ends its direction', ({ streams }) => streams[1].end()],
    ['it is closed here', ({ near }) => near.close()],
    ['its stream is destroyed with an error', ({ streams }) => streams[0].destroy(new Error('lost'))],
  ]
  return [
    ...ways.map(([name, end]) =>
      on(`leaves no call pending when ${name}, nor the link half open`, async (trial) => {
        const link = await linkOf(trial, adapter)
        expectSame(await trial.within('a call', link.near.call('echo', 1)), 1, 'a call')
        const pending = Array.from({ length: 10 }, () => Promise.resolve(link.near.call('hang')))
        for (const call of pending) call.catch(() => {}) // looked at below
        await trial.within('its closing', end(link))
        for (const call of pending) await trial.rejection('a pending call', () => call)
        await trial.allClosed()
        await trial.rejection('a call after the end', () => link.near.call('echo', 1))
      }),
    ),
    ...[...overBefore, endedBefore].map(({ how, end }) =>
      on(`leaves no call pending on a stream that ${how}`, async (trial) => {
        const streams = trial.pair()
        await end(streams)
        let near: CallEnd
        try {
          const attached = adapter.attach(streams[0], serviceFor(trial, adapter))
          if (!(attached instanceof Promise)) {
            await trial.rejection('a call in the same tick', () => attached.call('echo', 1))
          }
          near = await trial.within('its being put there', attached)
        } catch (error) {
          if (error instanceof PillionError) return // it refuses such a stream
          throw error
        }
        await trial.rejection('a call', () => near.call('echo', 1))
        if (adapter.descriptors === 'carried') {
          await trial.rejection('a call with a descriptor', () => near.call('numbersOf', [trial.file(0)]))
        }
        await trial.within('its closing', near.close())
      }),
    ),
  ]
}
