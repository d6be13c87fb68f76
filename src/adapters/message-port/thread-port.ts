/**
 * ThreadPort: a MessagePort of Node's whose messages have Descriptors in them: their numbers go to the other thread.
 *
 * A message with descriptors is two on the port: the value, which may turn out not to be clonable, then the descriptors.
 */
import type { MessagePort, TransferListItem, Worker } from 'node:worker_threads'
import { ClosedError } from '../../errors.js'
import { Descriptor } from '../../stream/index.js'
import { closeAll } from '../link/unwanted.js'
import { DescriptorMail } from './descriptor-mail.js'
import { parted } from './parted.js'
import { PortEvents } from './port-events.js'
import { placeOf, withDescriptors } from './thread-places.js'

/** What goes over the port. */
type Posted =
  | { readonly pillion: 'mailbox'; readonly id: number }
  | { readonly pillion: 'value'; readonly value: unknown; readonly count: number }
  | { readonly pillion: 'descriptors'; readonly ids: readonly number[] }

export class ThreadPort extends PortEvents {
  readonly #ready: Promise<void>
  readonly #port: MessagePort | Worker
  readonly #mail = new DescriptorMail()
  #isReady: () => void = () => {}
  /** Somebody has asked for `ready`, and nothing else may keep this thread alive until then. */
  #readyAwaited = false
  /** Received before the start. */
  #waiting: (Posted | 'end')[] | undefined = []
  /** A message whose descriptors come next. */
  #incomplete: { readonly value: unknown } | undefined
  #closed = false

  /** Owns the port from now on, or the worker, which `close` ends. The other end is a ThreadPort too. */
  constructor(port: MessagePort | Worker) {
    super()
    this.#port = port
    this.#ready = new Promise((resolve) => {
      this.#isReady = resolve
    })
    // What has come is still delivered when it is started.
    const ended = () => (this.#waiting?.length ? this.#waiting.push('end') : this.#end())
    port.on('message', (posted: Posted | null | undefined) => {
      if (posted) this.#receive(posted) // others may have posted anything on it
    })
    port.on('messageerror', (error: Error) => this.emitError(error))
    port.once('close' in port ? 'close' : ('exit' as 'close'), ended)
    if ('close' in port) port.unref()
    this.#post({ pillion: 'mailbox', id: this.#mail.address })
  }

  /**
   * Resolves once the other thread has its end: from then on, what is posted reaches it even if this thread ends. Asked for,
   * it keeps this thread alive until then.
   */
  get ready(): Promise<void> {
    if (!this.#mail.knowsTheirs && this.#waiting !== undefined && !this.#closed && 'close' in this.#port) {
      this.#readyAwaited = true
      this.#port.ref()
    }
    return this.#ready
  }

  /**
   * Posts a structured clone. A Descriptor in it goes over if it is in `transfer`; otherwise a duplicate does.
   *
   * Throws ClosedError once closed, or for a closed Descriptor; UsageError for one in an instance of a class or an Error; what
   * the port throws for a value that cannot be cloned.
   * Then the descriptors are still the caller's, unless the other thread ended meanwhile.
   */
  postMessage(value: unknown, transfer: readonly (TransferListItem | Descriptor)[] = []): void {
    if (this.#closed) throw new ClosedError('the port is closed')
    const transferred = new Set<unknown>(transfer)
    const { value: copy, descriptors } = parted(value, transferred, placeOf)
    const others = transfer.filter((item): item is TransferListItem => !(item instanceof Descriptor))
    const going: Descriptor[] = []
    try {
      for (const each of descriptors) going.push(transferred.has(each) ? each : each.dup())
      this.#post({ pillion: 'value', value: copy, count: going.length }, others)
    } catch (error) {
      for (const [i, each] of going.entries()) if (each !== descriptors[i]) each.close()
      throw error
    }
    if (going.length > 0) this.#post({ pillion: 'descriptors', ids: this.#mail.offer(going) })
  }

  start(): void {
    const waiting = this.#waiting
    if (waiting === undefined) return
    this.#waiting = undefined
    if ('close' in this.#port && !this.#closed) this.#port.ref()
    for (const posted of waiting) {
      if (posted === 'end') this.#end()
      else this.#deliver(posted)
    }
  }

  /** Both ends, behind what was posted. Descriptors that nobody takes any more are closed. */
  close(): void {
    if (this.#closed) return
    if ('close' in this.#port) this.#port.close()
    else void this.#port.terminate()
    this.#end()
  }

  ref(): void {
    this.#port.ref()
  }

  unref(): void {
    this.#port.unref()
  }

  #post(posted: Posted, transfer: readonly TransferListItem[] = []): void {
    this.#port.postMessage(posted, transfer)
  }

  #receive(posted: Posted): void {
    if (posted.pillion === 'mailbox') {
      this.#mail.sendTo(posted.id)
      if (this.#readyAwaited && this.#waiting !== undefined) this.#port.unref()
      this.#isReady()
    } else if (this.#waiting !== undefined) this.#waiting.push(posted)
    else this.#deliver(posted)
  }

  #deliver(posted: Posted): void {
    if (posted.pillion === 'descriptors') this.#complete(posted.ids)
    else if (posted.pillion === 'value' && posted.count > 0) this.#incomplete = { value: posted.value }
    else if (posted.pillion === 'value') this.emitMessage(posted.value, [])
  }

  #complete(ids: readonly number[]): void {
    const message = this.#incomplete
    this.#incomplete = undefined
    let descriptors: readonly Descriptor[]
    try {
      descriptors = this.#mail.take(ids)
    } catch (error) {
      return this.emitError(error as Error)
    }
    if (message !== undefined) this.emitMessage(withDescriptors(message.value, descriptors), descriptors)
    else closeAll(descriptors) // the value could not be read: `messageerror` has told
  }

  #end(): void {
    if (this.#closed) return
    this.#closed = true
    this.#mail.close()
    this.emitClose()
  }
}
