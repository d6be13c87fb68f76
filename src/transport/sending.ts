/**
 * Sending: a socket's way out. Gathers what its queue holds into as few system calls as that allows, and mends what a
 * call fails with: waits out what passes by itself (a full buffer, too many descriptors in flight), drops alone what can
 * be. Knows nothing of receiving.
 */
import { FrameTooLargeError, type PillionError, TimeoutError, UsageError } from '../errors.js'
import { setImmediate } from '../event-loop.js'
import { Backoff } from './backoff.js'
import { MessageQueue } from './message-queue.js'
import { binding, Control, Events } from './native.js'
import { forgetChunks, type OutgoingQueue } from './outgoing-queue.js'
import { SendQueue } from './send-queue.js'
import type { SocketHandlers } from './socket-handlers.js'
import type { SocketSettings } from './socket-options.js'
import { Errno } from './system-calls.js'
import { currentTurn, flushSoon, isHandingOver, sentAtOnce } from './turn.js'
import type { WatchedSocket, Writer } from './watched-socket.js'

/** Gathering more than this before a system call gains nothing; less makes a call, and wakes the peer, more often. */
const gatherBytes = 256 * 1024
/** Bytes of one flush, after which the loop's other work has its turn: a fast reader could take them for ever. */
const flushBudget = 1024 * 1024

export class Sending implements Writer {
  readonly queue: OutgoingQueue
  readonly #socket: WatchedSocket
  readonly #handlers: SocketHandlers
  readonly #pressureTimeout: number
  /** Made when the machine is short of something for the first time. */
  #wait: Backoff | undefined
  #writeBlocked = false
  #yields = false
  #flushDue = false
  #turnOfFlush = -1
  #bytes = 0
  #calls = 0
  #pauses = 0
  #pressures = 0

  constructor(socket: WatchedSocket, handlers: SocketHandlers, settings: SocketSettings) {
    this.#socket = socket
    socket.writer = this
    this.#handlers = handlers
    this.#pressureTimeout = settings.pressureTimeout
    this.queue = settings.keepsMessages ? new MessageQueue() : new SendQueue()
  }

  /** Whether a flush now would only wait: the kernel's buffer is full, pressure has to pass, or it is others' turn. */
  get blocked(): boolean {
    return this.#writeBlocked || this.#yields || this.#wait?.pending === true
  }

  get stats(): { bytes: number; calls: number; pauses: number; pressures: number } {
    return { bytes: this.#bytes, calls: this.#calls, pauses: this.#pauses, pressures: this.#pressures }
  }

  /** How many bytes more may be queued before `requestFlush` would do anything about them. */
  get leeway(): number {
    if (this.blocked) return Number.POSITIVE_INFINITY
    return this.#flushDue ? gatherBytes - (this.queue.queued - this.queue.settled) : 0
  }

  /**
   * Sends what is queued: at once when the connection is idle, else with the other writes of this tick.
   * @param promptly the first of a wake-up goes at once, too, as if it were handed over by itself
   */
  requestFlush(promptly = false): void {
    if (this.blocked) return
    const { queue } = this
    const waiting = queue.queued - queue.settled
    const isLater = this.#flushDue || this.#turnOfFlush === currentTurn() || (!promptly && isHandingOver())
    if (waiting < gatherBytes && isLater) {
      this.#flushLater()
      return
    }
    if (!isHandingOver()) sentAtOnce() // a wake-up is a turn by itself
    this.flush()
  }

  /** Sends what is queued until it is gone or has to wait. */
  flush(): void {
    this.#flushDue = false
    if (this.#socket.closed || this.blocked) return
    this.#turnOfFlush = currentTurn()
    let progress = false
    const budgetEnd = this.#bytes + flushBudget
    while (!this.queue.empty) {
      if (this.#bytes >= budgetEnd) {
        this.#yieldTurn()
        break
      }
      this.#calls++
      const error = this.#sendSome()
      if (error === 0) progress = true
      else if (!this.#mend(error)) break
    }
    if (this.queue.empty) this.#wait?.reset()
    if (progress && !this.#socket.closed) this.#handlers.onSent?.()
  }

  /** The kernel takes more. */
  writable(): void {
    this.#writeBlocked = false
    this.#socket.watchFor(Events.writable, false)
    this.flush()
  }

  /** Ends this direction; the peer sees the end of the stream behind what was sent. Nothing may wait in the queue. */
  shutDown(): void {
    if (this.#socket.closed) return
    const error = this.#socket.shutDown()
    // ENOTCONN: the peer is gone already, which ends the direction as well.
    if (error < 0 && error !== Errno.ENOTCONN) this.#fail(this.#socket.failure(error, 'shutdown'))
  }

  setRef(ref: boolean): void {
    this.#wait?.setRef(ref)
  }

  /** The socket has been closed: drops what waits. */
  close(): void {
    this.#wait?.reset()
    this.queue.clear()
  }

  /** One system call: 0 when something went, or the negative errno. */
  #sendSome(): number {
    const { run } = this.queue
    let sent: number
    let begun = 1
    if (run !== undefined) {
      sent = this.#socket.sendRun(run.bytes, run.start, run.end - run.start)
      if (sent < 0) return sent
    } else {
      const { control } = binding
      const layout = this.queue.layOut()
      const { messages, chunks } = layout
      // As a rule it is the slab, and looking into an array from native code costs more than all else about it.
      sent = this.#socket.send(messages, chunks.length === 1 ? (chunks[0] as Uint8Array) : chunks)
      forgetChunks(layout)
      begun = control[Control.sentMessages] as number
      if (begun === 0) return control[Control.sendError] as number
    }
    this.#bytes += sent
    this.queue.advance(sent, begun)
    this.#wait?.reset()
    return 0
  }

  /** Deals with a send that failed; true: try again at once. */
  #mend(error: number): boolean {
    switch (error) {
      case Errno.EAGAIN:
        this.#pauses++
        this.#wait?.reset() // the kernel looks at the pressure first, so there is none
        this.#awaitWritable()
        return false
      case Errno.ETOOMANYREFS:
        return this.#waitOut('in-flight')
      case Errno.ENOBUFS:
      case Errno.ENOMEM:
        return this.#waitOut('memory')
      case Errno.EPERM:
        return this.#refuse(
          this.#socket.failure(
            error,
            'sendmsg',
            'the peer refuses descriptors (SO_PASSRIGHTS is off at its end): send without any',
          ),
        )
      case Errno.EBADF:
        return this.#refuse(
          this.#socket.failure(error, 'sendmsg', 'a descriptor to be sent is not open: it was closed too early'),
        )
      case Errno.EMSGSIZE:
        return this.#refuse(this.#tooLong())
      case Errno.EFAULT:
        this.#fail(
          new UsageError(
            `${this.#socket.named('sendmsg')}: bytes that waited have lost their memory (transferred or shrunk): keep it until they are sent`,
          ),
        )
        return false
      default:
        this.#fail(this.#socket.failure(error, 'sendmsg'))
        return false
    }
  }

  #awaitWritable(): void {
    this.#writeBlocked = true
    try {
      this.#socket.watchFor(Events.writable, true)
    } catch (failure) {
      this.#fail(failure as PillionError) // nothing would tell when it can go on
    }
  }

  /**
   * Goes on behind the loop's other work. The poll would not do: it tells of a writable socket only once three quarters of
   * the send buffer are free again, when a fast reader has almost nothing left to read.
   */
  #yieldTurn(): void {
    this.#yields = true
    setImmediate(() => {
      this.#yields = false
      this.flush()
    })
  }

  /**
   * No event tells when it has passed: a timer asks again, up to a bound. That is on the whole wait: dropping one group
   * begins no new one, or each of those behind it would have the same time again. Something that goes does, and so
   * does an empty queue.
   */
  #waitOut(reason: 'in-flight' | 'memory'): boolean {
    this.#wait ??= new Backoff()
    const { waited } = this.#wait
    if (waited >= this.#pressureTimeout && waited > 0) {
      const what = reason === 'in-flight' ? 'ETOOMANYREFS, this user has too many descriptors in flight' : 'no memory'
      return this.#refuse(new TimeoutError(`${this.#socket.named('sendmsg')}: ${what}, for ${Math.round(waited)} ms`))
    }
    this.#pressures++
    const retryIn = this.#wait.again(() => this.flush(), this.#socket.keepsAlive)
    this.#handlers.onPressure?.({ reason, direction: 'send', retryIn, waited })
    return false
  }

  /** The group at the head fails alone, if none of its bytes went; true: the next ones may go. */
  #refuse(error: PillionError): boolean {
    if (!this.queue.headIsFresh) {
      this.#fail(error)
      return false
    }
    const { settled: sent, descriptors: before } = this.queue
    const group = this.queue.dropHead()
    let told = false
    try {
      this.#handlers.onRefused({ group, error, sent, descriptors: before - this.queue.descriptors })
      told = true
    } finally {
      if (!told) this.#flushLater() // what a listener throws must not strand what is behind
    }
    return !this.#socket.closed && !this.blocked // the handler may have sent meanwhile
  }

  #fail(error: PillionError): void {
    this.#wait?.reset()
    this.queue.clear()
    this.#writeBlocked = false
    this.#socket.watchFor(Events.writable, false)
    this.#handlers.onSendError(error)
  }

  #flushLater(): void {
    if (this.#flushDue) return
    this.#flushDue = true
    flushSoon(this)
  }

  /** The kernel takes a message only if it fits into the send buffer with some bytes of its own (docs/kernel.md fact 20). */
  #tooLong(): FrameTooLargeError {
    const limit = Math.max(0, binding.sendBuffer(this.#socket.fd) - 32)
    return new FrameTooLargeError(
      `${this.#socket.named('sendmsg')}: EMSGSIZE; a message goes whole, and the send buffer takes ${limit} bytes at once: raise sendBuffer`,
      limit,
    )
  }
}
