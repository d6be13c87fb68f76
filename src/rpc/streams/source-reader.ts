/**
 * SourceReader: reads a source that is on the other side. Asks for its chunks when the first is wanted, and lets go of it
 * when it has ended, is canceled or abandoned.
 */
import type { Answer } from '../machine/answer.js'
import type { Capability } from '../machine/capability.js'
import type { Vat } from '../machine/vat.js'
import { noOptions } from '../stubs/call-options.js'
import { Handle } from '../stubs/handle.js'
import { CapabilityReference } from '../values/reference.js'
import { Tag } from '../values/tags.js'
import { Inlet, type Next } from './inlet.js'
import { ReceiveWindow } from './window.js'

export class SourceReader {
  readonly #source: Handle
  readonly #inlet: Inlet
  readonly #window: ReceiveWindow
  #pipe: Answer | undefined
  #over = false

  /** Takes over the reference to the source. */
  constructor(source: Capability, vat: Vat) {
    this.#source = Handle.ofCapability(source, vat, noOptions)
    this.#window = new ReceiveWindow(vat.options.windowBytes, (weight) => this.#grant(weight))
    this.#inlet = new Inlet(vat, this.#window, (error) => void this.#cancel(error))
  }

  /** Somebody reads it, or it is over. */
  get begun(): boolean {
    return this.#pipe !== undefined || this.#over
  }

  /** The next chunk, the taker's own. Rejects with what ended the source, behind all that it wrote before. */
  next(): Promise<Next> {
    if (!this.begun) this.#start()
    return this.#inlet.take()
  }

  /** The same, if it is bytes and here already; undefined otherwise. */
  bytes(): Uint8Array | undefined {
    return this.#inlet.takeBytes()
  }

  /** Wants no more; resolves when the source has stopped. */
  async cancel(reason: unknown): Promise<void> {
    this.#inlet.stop()
    const outcome = await this.#cancel(reason)
    if (outcome instanceof Error) throw outcome
  }

  /** Nobody reads it any more, or will. */
  abandon(): void {
    this.#inlet.stop()
    this.#close()
  }

  #start(): void {
    const sink = new CapabilityReference(Tag.capability, this.#inlet)
    const pipe = this.#source.property('pipe').call([sink, this.#window.size])
    this.#pipe = pipe
    pipe.subscribe((outcome) => {
      this.#inlet.finish(outcome instanceof Error ? { error: outcome } : 'properly')
      this.#close()
    })
  }

  #grant(weight: number): void {
    if (this.#over) return
    const grant = this.#source.property('grant').call([weight])
    grant.subscribe(() => grant.release()) // if it fails, so does `pipe`
  }

  async #cancel(reason: unknown): Promise<Error | undefined> {
    if (this.#over) return undefined
    const outcome = outcomeOf(this.#source.property('cancel').call([reason]))
    this.#close()
    return await outcome
  }

  #close(): void {
    if (this.#over) return
    this.#over = true
    this.#pipe?.release()
    this.#inlet.release()
    this.#source.dispose()
  }
}

/** What ended a call, undefined if it returned. Takes over the reference. */
export function outcomeOf(answer: Answer): Promise<Error | undefined> {
  return new Promise((resolve) => {
    answer.subscribe((outcome) => {
      answer.release()
      resolve(outcome instanceof Error ? outcome : undefined)
    })
  })
}
