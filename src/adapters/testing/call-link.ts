/**
 * A link of two ends of an adapter with calls, and the service that the kit puts behind each.
 */
import { inspect, isDeepStrictEqual } from 'node:util'
import type { Descriptor, FrameStream } from '../../stream/index.js'
import type { HostileAnswer } from './hostile-answer-cases.js'
import { numbersIn } from './numbered-files.js'
import { expect, type Trial, type TrialSettings } from './trial.js'

/** What the kit serves by way of the adapter. Its own properties are its methods. */
export interface Service {
  /** What it was given. */
  readonly echo: (value: unknown) => unknown
  /** Remembers that it was called; the number. */
  readonly note: (number: number) => number
  /** Throws an Error with this message. */
  readonly fail: (message: string) => never
  /** Answers when the case is over. */
  readonly hang: () => Promise<unknown>
  /** Closes the descriptors in the value, wherever they are; the numbers that their files hold. */
  readonly numbersOf: (value: unknown) => number[]
  /** New files that hold these numbers. They are lent: a returned one may be duplicated, or taken over. */
  readonly files: (numbers: readonly number[]) => Descriptor[]
  /** Does nothing with what it was given. */
  readonly ignore: (value: unknown) => null
}

export interface CallEnd {
  /** Calls a method of the other end's service. */
  call(method: string, ...args: readonly unknown[]): unknown
  /** The same where nobody waits for it, as the library has that: what becomes of it is told to nobody. */
  tell?(method: string, ...args: readonly unknown[]): void
  /** Closes the link as the library does it. */
  close(): unknown
}

export interface CallAdapter extends TrialSettings {
  /** Puts the adapter on a stream, serves the service there, and calls the other end's. Owns the stream. */
  attach(stream: FrameStream, service: Service): CallEnd | Promise<CallEnd>
  /** The same with nothing served, where the library answers calls to such an end: with an error. */
  attachClient?(stream: FrameStream): CallEnd | Promise<CallEnd>
  /** Whether descriptors in arguments and results travel, or are an error at the call. */
  readonly descriptors: 'carried' | 'refused'
  /**
   * Received descriptors that nobody used: closed by the adapter, at the latest when the link closes (the default), or
   * left to whoever received them.
   */
  readonly untaken?: 'closed' | 'left'
  /** Values that travel. Default: plain data, as JSON has it. */
  readonly samples?: readonly unknown[]
  /** Bytes of a large text. Default 4 MiB. */
  readonly large?: number
  /** Payloads that a hostile peer of this library's would send. */
  readonly hostile?: readonly Uint8Array[]
  /**
   * Answers that a hostile peer of this library's would make up to a call, given its frame's payload and a descriptor: junk with a
   * descriptor beside the result, an error beside it, an answer to another call. Each is sent twice. Descriptors that reach the caller
   * must be open. Undefined for a frame that asks for no answer, where a call is several.
   */
  readonly hostileAnswers?: readonly ((call: Uint8Array, file: Descriptor) => HostileAnswer | undefined)[]
}

export interface Link {
  readonly near: CallEnd
  readonly far: CallEnd
  readonly streams: readonly [near: FrameStream, far: FrameStream]
  /** The numbers that the far end has noted. */
  readonly noted: readonly number[]
}

/** Two ends of the adapter. */
export async function linkOf(trial: Trial, adapter: CallAdapter): Promise<Link> {
  const streams = trial.pair()
  const noted: number[] = []
  const [near, far] = await Promise.all([
    adapter.attach(streams[0], serviceFor(trial, adapter)),
    adapter.attach(streams[1], serviceFor(trial, adapter, noted)),
  ])
  return { near, far, streams, noted }
}

export function serviceFor(trial: Trial, adapter: CallAdapter, noted: number[] = []): Service {
  return {
    echo: (value) => value,
    note: (number) => {
      noted.push(number)
      return number
    },
    fail: (message) => {
      throw new Error(message)
    },
    hang: () =>
      new Promise((resolve) => {
        trial.over.signal.addEventListener('abort', () => resolve(null))
      }),
    numbersOf: numbersIn,
    files: (numbers) => numbers.map((number) => trial.file(number)),
    ignore: (value) => {
      if (adapter.untaken === 'left') numbersIn(value)
      return null
    },
  }
}

export function expectSame(actual: unknown, expected: unknown, what: string): void {
  expect(
    isDeepStrictEqual(actual, expected),
    `${what} came out as ${shortened(actual)}, expected ${shortened(expected)}`,
  )
}

function shortened(value: unknown): string {
  const written = inspect(value, { depth: 4, breakLength: Number.POSITIVE_INFINITY, maxStringLength: 60 })
  return written.length > 60 ? `${written.slice(0, 60)}… (${written.length})` : written
}
