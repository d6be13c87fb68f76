/**
 * Trial: what every case stands on: pairs of streams, numbered files, waiting with a bound, and at its end the look for
 * descriptors that are still open and for errors that nobody caught. Knows no adapter.
 */
import { setMaxListeners } from 'node:events'
import { clearTimeout, now, setImmediate, setTimeout } from '../../event-loop.js'
import { type Descriptor, type FrameStream, pair, type StreamOptions } from '../../stream/index.js'
import { NumberedFiles } from './numbered-files.js'

/** A case: a sentence of behaviour that goes on from the adapter's name, and a function that throws where it is not so. */
export interface Case {
  readonly name: string
  run(): Promise<void>
}

export interface TrialSettings {
  /** Of both streams: the codec, the limits. Default: none. */
  readonly streamOptions?: StreamOptions
  /** Milliseconds until what was to happen counts as not happening. Default 5,000. */
  readonly patience?: number
}

/** Makes a case of a sentence and what it does. */
export type On = (name: string, body: (trial: Trial) => Promise<void>) => Case

export class Trial {
  readonly #settings: TrialSettings
  readonly #patience: number
  readonly #streams: FrameStream[] = []
  readonly #files = new NumberedFiles()
  /** Ends what is only waiting for the end. */
  readonly over = new AbortController()

  /** The case of this name. What the body throws, or what it leaves open, is what is wrong. */
  static case(name: string, settings: TrialSettings, body: (trial: Trial) => Promise<void>): Case {
    return { name, run: () => new Trial(settings).#run(body) }
  }

  private constructor(settings: TrialSettings) {
    this.#settings = settings
    this.#patience = settings.patience ?? 5000
    setMaxListeners(0, this.over.signal) // one for each call that waits
  }

  /** Two connected streams, destroyed when the case is over. */
  pair(): [FrameStream, FrameStream] {
    const streams = pair(this.#settings.streamOptions)
    this.#streams.push(...streams)
    return streams
  }

  /** A file that holds its number, closed when the case is over. */
  file(number: number): Descriptor {
    return this.#files.make(number)
  }

  /** How many of this trial's files are open in this process, duplicates counted. */
  get openFiles(): number {
    return this.#files.open
  }

  /** What the promise brings, in time. */
  async within<T>(what: string, promise: T | PromiseLike<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${what}: not within ${this.#patience} ms`)), this.#patience)
    })
    try {
      return await Promise.race([promise, late])
    } finally {
      clearTimeout(timer)
    }
  }

  /** Resolves once it holds; asked in every turn of the loop. */
  async until(what: string | (() => string), holds: () => boolean): Promise<void> {
    const end = now() + this.#patience
    while (!holds()) {
      if (now() > end) {
        throw new Error(`${typeof what === 'string' ? what : what()}: not within ${this.#patience} ms`)
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** What a promise is rejected with, in time. */
  async rejection(what: string, promise: () => unknown): Promise<Error> {
    let value: unknown
    try {
      value = await this.within(what, promise())
    } catch (error) {
      if (error instanceof Error && error.message.startsWith(`${what}: not within`)) throw error
      expect(error instanceof Error, `${what}: rejected with something else than an Error: ${String(error)}`)
      return error as Error
    }
    throw new Error(`${what}: expected an error, got ${JSON.stringify(value) ?? String(value)}`)
  }

  /** Both streams are done. */
  async allClosed(): Promise<void> {
    await this.until(
      () => `${this.#streams.filter(({ destroyed }) => !destroyed).length} of the link's streams stay open`,
      () => this.#streams.every(({ destroyed }) => destroyed),
    )
  }

  async #run(body: (trial: Trial) => Promise<void>): Promise<void> {
    const uncaught: unknown[] = []
    const note = (error: unknown) => void uncaught.push(error)
    const names = prototypes.map(namesOf)
    process.on('unhandledRejection', note)
    process.on('uncaughtExceptionMonitor', note)
    try {
      await body(this)
      this.over.abort()
      for (const stream of this.#streams) stream.destroy()
      this.#files.close()
      await this.until(
        () => `${this.openFiles} descriptors have leaked`,
        () => this.openFiles === 0,
      )
      await new Promise((resolve) => setImmediate(resolve)) // an unhandled rejection is told after the microtasks
    } finally {
      this.over.abort()
      for (const stream of this.#streams) stream.destroy()
      this.#files.close()
      process.off('unhandledRejection', note)
      process.off('uncaughtExceptionMonitor', note)
    }
    if (uncaught.length > 0)
      throw new Error(`an error that nobody caught: ${String(uncaught[0])}`, { cause: uncaught[0] })
    for (const [i, prototype] of prototypes.entries()) {
      expect(namesOf(prototype) === names[i], `${prototype.constructor.name}.prototype has been polluted`)
    }
  }
}

/** What a name from the wire may lead to, from a value or a function. */
const prototypes: readonly object[] = [Object, Array, Function, String, Number, Map, Set, Date, Error, Uint8Array].map(
  ({ prototype }) => prototype,
)

function namesOf(prototype: object): number {
  return Reflect.ownKeys(prototype).length
}

export function expect(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise)
}
