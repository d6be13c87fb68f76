/**
 * A peer that means harm, or is broken: frames that are no messages, messages with some bytes changed, descriptors with
 * them. Nothing crashes, nothing leaks, nothing is left pending, and the link is over when the peer is.
 */
import { UsageError } from '../../errors.js'
import type { FrameStream } from '../../stream/index.js'
import { type Case, expect, Trial, type TrialSettings } from './trial.js'

export interface HostileSettings<End> {
  /** What a peer of the adapter's is asked to send, so that its frames can be seen: calls that are waited for. */
  begin(end: End): readonly unknown[]
}

interface Closable {
  close(): unknown
}

export function hostileCases<End extends Closable>(
  adapter: TrialSettings & { readonly hostile?: readonly Uint8Array[] },
  attach: (trial: Trial, stream: FrameStream) => End | Promise<End>,
  { begin }: HostileSettings<End>,
): Case[] {
  const meet = async (trial: Trial, payloads: readonly Uint8Array[]) => {
    for (const payload of payloads) await meetPayload(trial, payload, await attached(trial))
  }
  const attached = async (trial: Trial) => {
    const [stream, peer] = trial.pair()
    return { stream, peer, end: await attach(trial, stream) }
  }
  /** Sends one payload, with a descriptor that nobody asked for, to an end that has calls pending; then ends. */
  const meetPayload = async (trial: Trial, payload: Uint8Array, { stream, peer, end }: Attached<End>) => {
    const pending = begin(end).map((call) => Promise.resolve(call))
    for (const call of pending) call.catch(() => {}) // settles, which is looked at below
    peer.on('error', () => {}) // whose end it is does not matter
    try {
      peer.send(payload, [trial.file(0)], { transfer: true })
      await peer.flush()
    } catch (error) {
      expect(
        stream.destroyed || peer.destroyed || payload.length === 0 || error instanceof UsageError, // no frame of the codec's
        `a hostile frame was not sent: ${String(error)}`,
      )
    }
    peer.destroy()
    const shown = `after ${payload.length} bytes ${Buffer.from(payload.subarray(0, 24)).toString('hex')}`
    for (const call of pending) await trial.within(`a pending call ${shown}`, settled(call))
    await trial.within(`its closing ${shown}`, settled(Promise.resolve(end.close())))
    await trial.allClosed()
  }
  const on = (name: string, body: (trial: Trial) => Promise<void>) => Trial.case(name, adapter, body)
  return [
    on('survives frames that are no messages', (trial) => meet(trial, junk)),
    on('survives its own messages with bytes changed, left out or put in', async (trial) => {
      const [stream, peer] = trial.pair()
      const seen: Uint8Array[] = []
      peer.on('frame', (frame) => {
        seen.push(new Uint8Array(frame.payload))
        frame[Symbol.dispose]()
      })
      const end = await attach(trial, stream)
      const calls = begin(end).map((call) => Promise.resolve(call))
      for (const call of calls) call.catch(() => {}) // the peer never answers
      await trial.until('a first frame', () => seen.length > 0)
      peer.destroy()
      for (const call of calls) await trial.within('a pending call', settled(call))
      await end.close()
      await meet(trial, seen.slice(0, 3).flatMap(mutations))
    }),
    ...(adapter.hostile === undefined
      ? []
      : [on('survives what a hostile peer of its library sends', (trial) => meet(trial, adapter.hostile ?? []))]),
  ]
}

interface Attached<End> {
  readonly stream: FrameStream
  readonly peer: FrameStream
  readonly end: End
}

const junk: readonly Uint8Array[] = [
  '',
  '\0',
  '{',
  'null',
  '[]',
  '{}',
  '"text"',
  `${'['.repeat(100_000)}`,
  '{"__proto__":{"polluted":true}}',
  '{"constructor":{"prototype":{"polluted":true}}}',
  '{"jsonrpc":"2.0","id":1,"method":"__proto__","params":[]}',
]
  .map((text) => new Uint8Array(Buffer.from(text)))
  .concat([
    new Uint8Array(64).fill(0xff),
    new Uint8Array(64).fill(0xc1),
    new Uint8Array(10_000).fill(0x91),
    Uint8Array.from({ length: 256 }, (_, i) => i),
  ])

/** Some thirty: cut short, with something behind, with single bytes changed. */
function mutations(message: Uint8Array): Uint8Array[] {
  const places = Array.from({ length: 8 }, (_, i) => Math.floor((i * message.length) / 8))
  const changed = places.flatMap((at) =>
    [0x00, 0x7f, 0xff].map((byte) => {
      const copy = new Uint8Array(message)
      copy[at] = byte
      return copy
    }),
  )
  const cut = places.map((at) => message.slice(0, at))
  const longer = new Uint8Array(Buffer.concat([message, message]))
  return [...changed, ...cut, longer]
}

/** Either way. */
function settled(promise: Promise<unknown>): Promise<void> {
  return promise.then(
    () => {},
    () => {},
  )
}
