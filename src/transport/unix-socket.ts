/**
 * UnixSocket: a connected Unix socket, as bytes or messages with descriptor sets, both ways.
 *
 * Receives into the thread's slab and tells where each set's recvmsg ended; sends the pieces of its queue, gathered
 * into as few system calls as the pieces allow; waits out what passes by itself (a full buffer, a full descriptor
 * table, too many descriptors in flight). Knows no frames.
 */
import {
  ClosedError,
  FrameTooLargeError,
  PermissionError,
  type PillionError,
  SystemError,
  TimeoutError,
  UsageError,
} from '../errors.js'
import { Backoff } from './backoff.js'
import { closeDescriptors } from './descriptor.js'
import { MessageQueue } from './message-queue.js'
import { joinSpilled, messageSets, messageSpill } from './message-rows.js'
import { binding, Control, Events, type NativeSocket, Status } from './native.js'
import type { OutgoingQueue } from './outgoing-queue.js'
import { Peer } from './peer.js'
import { keepReceived, receiveSlab, renewReceiveSlab } from './receive-slab.js'
import type { DescriptorSet, Received } from './received.js'
import { SendQueue } from './send-queue.js'
import type { SocketHandlers, SocketStats } from './socket-handlers.js'
import { applyToSocket, type SocketSettings, socketSettings, type UnixSocketOptions } from './socket-options.js'
import { Errno } from './system-calls.js'
import { currentTurn, flushSoon, handOver, isHandingOver, sentAtOnce } from './turn.js'

const defaultLongest = 256 * 1024
const noSets: readonly DescriptorSet[] = []
const nothing = new Uint8Array(0)

/** Gathering more than this before a system call gains nothing. */
const gatherBytes = 64 * 1024
/** Bytes of one flush, after which the loop's other work has its turn: a fast reader could take them for ever. */
const flushBudget = 1024 * 1024

export class UnixSocket {
  readonly #native: NativeSocket
  readonly #handlers: SocketHandlers
  readonly #settings: SocketSettings
  readonly #queue: OutgoingQueue
  readonly #received: ReceivedChunk = new ReceivedChunk()
  // The native side holds these weakly, so that a socket nobody can reach is collected: keep them here.
  readonly #onReadable: () => void
  readonly #onWritable: () => void

  #fd: number
  #reading = false
  #writeBlocked = false
  #flushDue = false
  #events = 0
  #turnOfFlush = -1
  /** Where boundaries are kept: what a message goes on in, and the most that one may have. */
  readonly #spill: Uint8Array = nothing
  #position = 0
  #carried = 0
  #receiveWait: Backoff | undefined
  #sendWait: Backoff | undefined
  #atRisk = false
  #peer: Peer | undefined

  #setsReceived = 0
  #receiveCalls = 0
  #sendCalls = 0
  #pressures = 0
  #bytesSent = 0

  /**
   * Takes over `fd`, a connected socket in the ledger (`connectUnix`, `adoptConnected`, `pairUnix`, an accepted one),
   * and closes it when it throws (UsageError for an option). Nothing is received before `resume`.
   * @param longest where boundaries are kept: the longest message that is received whole
   */
  constructor(fd: number, handlers: SocketHandlers, options: UnixSocketOptions = {}, longest = defaultLongest) {
    this.#fd = fd
    this.#handlers = handlers
    this.#onWritable = () => {
      this.#writeBlocked = false
      this.#watch()
      this.flush()
    }
    try {
      this.#settings = socketSettings(options)
      applyToSocket(fd, this.#settings)
      if (this.#settings.keepsMessages) this.#spill = messageSpill(longest)
      if (receiveSlab().length === 0) renewReceiveSlab()
    } catch (error) {
      binding.closeFd(fd)
      throw error
    }
    const { edge, keepsMessages } = this.#settings
    const receive = keepsMessages ? this.#receiveMessages : this.#receive
    this.#onReadable = () => handOver(receive)
    this.#queue = keepsMessages ? new MessageQueue() : new SendQueue()
    this.#native = new binding.Socket(fd, edge, this.#onReadable, this.#onWritable, keepsMessages)
    if (keepsMessages) this.#native.lend(this.#spill)
    this.#takeRisk(false)
  }

  /** The descriptor's number, still this socket's own. Throws ClosedError once closed. */
  get fd(): number {
    if (this.closed) throw new ClosedError('the socket is closed')
    return this.#fd
  }

  get closed(): boolean {
    return this.#fd < 0
  }

  /** Who is at the other end, from the kernel. */
  get peer(): Peer {
    this.#peer ??= new Peer(this)
    return this.#peer
  }

  /** What waits to be sent: push pieces into it, then `requestFlush` (or `flush`). */
  get queue(): SendQueue {
    if (this.#queue instanceof SendQueue) return this.#queue
    throw new UsageError('the socket keeps boundaries: what it sends is queued as `messages`')
  }

  /** The same, where the kernel keeps boundaries. */
  get messages(): MessageQueue {
    if (this.#queue instanceof MessageQueue) return this.#queue
    throw new UsageError('the socket keeps no boundaries: what it sends is queued in `queue`')
  }

  /** Either of the two. */
  get outgoing(): OutgoingQueue {
    return this.#queue
  }

  /** Whether a flush now would only wait: the kernel's buffer is full, or pressure has to pass. */
  get sendBlocked(): boolean {
    return this.#writeBlocked || this.#sendWait?.pending === true
  }

  /** Starts or goes on receiving. Throws SystemError when the socket cannot be watched (ENOMEM, EMFILE, ENOSPC). */
  resume(): void {
    if (this.closed || this.#reading) return
    this.#reading = true
    try {
      this.#watch()
    } catch (error) {
      this.#reading = false
      throw error
    }
  }

  /** Stops receiving after the call that is being made: the kernel's buffer then fills, and the peer's writes wait. */
  pause(): void {
    if (!this.#reading) return
    this.#reading = false
    this.#receiveWait?.reset()
    this.#watch()
  }

  /** The stream's next bytes go into `memory`, which stays as it is while lent; `undefined` ends it. Not of messages. */
  lend(memory: Uint8Array | undefined): void {
    if (!this.closed && !this.#settings.keepsMessages) this.#native.lend(memory)
  }

  /** Sends what is queued: at once when the connection is idle, else with the other writes of this tick. */
  requestFlush(): void {
    if (this.sendBlocked) return
    const waiting = this.#queue.queued - this.#queue.settled
    if (waiting < gatherBytes && (this.#flushDue || isHandingOver() || this.#turnOfFlush === currentTurn())) {
      this.#flushLater()
      return
    }
    sentAtOnce()
    this.flush()
  }

  /** Sends what is queued until it is gone or has to wait. */
  flush(): void {
    this.#flushDue = false
    if (this.closed || this.sendBlocked) return
    this.#turnOfFlush = currentTurn()
    const { control } = binding
    let progress = false
    const budgetEnd = this.#bytesSent + flushBudget
    while (!this.#queue.empty) {
      if (this.#bytesSent >= budgetEnd) {
        this.#awaitWritable() // it is, so this goes on behind the loop's other work
        break
      }
      const { messages, chunks } = this.#queue.layOut()
      const sent = this.#native.send(messages, chunks)
      this.#sendCalls++
      const begun = control[Control.sentMessages] as number
      if (begun > 0) {
        this.#bytesSent += sent
        this.#queue.advance(sent, begun)
        this.#sendWait?.reset()
        progress = true
        continue
      }
      if (!this.#mend(control[Control.sendError] as number)) break
    }
    if (progress && !this.closed) this.#handlers.onSent?.()
  }

  /** Ends this direction; the peer sees the end of the stream behind what was sent. Nothing may wait in the queue. */
  shutDown(): void {
    if (this.closed) return
    const error = this.#native.shutDown()
    // ENOTCONN: the peer is gone already, which ends the direction as well.
    if (error < 0 && error !== Errno.ENOTCONN) this.#failSending(new SystemError(error, 'shutdown'))
  }

  ref(): void {
    if (!this.closed) this.#native.setRef(true)
  }

  unref(): void {
    if (!this.closed) this.#native.setRef(false)
  }

  get stats(): SocketStats {
    return {
      bytesReceived: this.#position + this.#carried,
      bytesSent: this.#bytesSent,
      setsReceived: this.#setsReceived,
      receiveCalls: this.#receiveCalls,
      sendCalls: this.#sendCalls,
      pressures: this.#pressures,
    }
  }

  /** Closes the socket and what waits in its queue, now. Nothing is called any more. */
  close(): void {
    if (this.closed) return
    this.#fd = -1
    this.#reading = false
    this.#receiveWait?.reset()
    this.#sendWait?.reset()
    this.#native.close()
    this.#queue.clear()
  }

  readonly #receive = (): void => {
    const { control, received: rows } = binding
    const status = control[Control.status] as number
    if (status === Status.noRoom) {
      renewReceiveSlab() // the slab was full, or its buffer has been transferred away
      return
    }
    if (status === Status.bytesGone) {
      this.pause()
      this.#handlers.onReceiveError(
        new UsageError('the memory of a batch or a small frame was transferred, and bytes of the next frame with it'),
      )
      return
    }
    this.#receiveCalls += control[Control.receiveCalls] as number
    const lent = control[Control.lent] as number
    const start = control[Control.start] as number
    const end = control[Control.end] as number
    const known = this.#position + this.#carried // every byte before this wake-up's
    const chunk = this.#received
    chunk.lent = lent
    chunk.bytes = receiveSlab()
    chunk.start = start
    chunk.end = end
    chunk.position = this.#position + lent
    chunk.sets = this.#takeSets(control[Control.sets] as number, rows, known)
    if (lent === 0 && end - start === this.#carried && chunk.sets.length === 0) {
      control[Control.consumed] = 0 // nothing new, only a status
      this.#afterReceive(status)
      return
    }
    const consumed = this.#handIn(chunk)
    if (consumed === undefined) return
    control[Control.consumed] = consumed
    this.#position += lent + consumed
    this.#carried = end - start - consumed
    try {
      this.#handlers.onDeliver?.(chunk)
    } finally {
      this.#afterReceive(status)
    }
  }

  readonly #receiveMessages = (): void => {
    const { control, received: rows } = binding
    const status = control[Control.status] as number
    if (status === Status.noRoom) {
      renewReceiveSlab()
      return
    }
    this.#receiveCalls += control[Control.receiveCalls] as number
    const slab = receiveSlab()
    const start = control[Control.start] as number
    const end = control[Control.end] as number
    const spilled = control[Control.lent] as number
    const sets = messageSets(control[Control.sets] as number, rows, this.#position)
    this.#setsReceived += sets.length
    const long = spilled > 0 ? sets.splice(-1) : noSets
    const endOfShort = start + (sets.at(-1)?.end ?? this.#position) - this.#position
    // Taken out of the memory that is shared before anybody else's code runs.
    const joined = spilled > 0 ? joinSpilled(slab.subarray(endOfShort, end), this.#spill.subarray(0, spilled)) : nothing
    try {
      if (sets.length > 0) this.#present(this.#received, slab, start, endOfShort, sets)
    } finally {
      try {
        if (this.closed) closeSets(long)
        else if (long.length > 0) this.#present(new OwnChunk(), joined, 0, joined.length, long)
      } finally {
        this.#afterReceive(status)
      }
    }
  }

  #present(chunk: ReceivedChunk, bytes: Uint8Array, start: number, end: number, sets: readonly DescriptorSet[]): void {
    chunk.bytes = bytes
    chunk.start = start
    chunk.end = end
    chunk.position = this.#position
    chunk.sets = sets
    this.#position += end - start
    if (this.#handIn(chunk) !== undefined) this.#handlers.onDeliver?.(chunk)
  }

  /** How much of it is done with; undefined: there was no memory to take it in. */
  #handIn(chunk: ReceivedChunk): number | undefined {
    try {
      return this.#handlers.onReceived(chunk)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      // No memory for what a peer has announced: that ends its connection, and must not end the process.
      this.pause()
      this.#handlers.onReceiveError(new SystemError(Errno.ENOMEM, 'recvmsg', undefined, error.message))
      return undefined
    }
  }

  #afterReceive(status: number): void {
    if (this.closed) return
    // What was waited for is over as soon as something could be received.
    if (status !== Status.pressure) this.#receiveWait?.reset()
    if (this.#atRisk && binding.hasHeadroom(this.#settings.headroom)) this.#takeRisk(false)
    if (status === Status.endOfFile) {
      this.pause()
      this.#handlers.onEnd()
    } else if (status === Status.pressure) {
      this.#waitForTable()
    } else if (status < 0) {
      this.pause()
      this.#handlers.onReceiveError(new SystemError(status, 'recvmsg'))
    }
  }

  #takeSets(count: number, rows: Int32Array, known: number): readonly DescriptorSet[] {
    if (count === 0) return noSets
    const sets: DescriptorSet[] = []
    let at = 0
    for (let i = 0; i < count; i++) {
      const behind = at + 3 + (rows[at + 2] as number)
      const fds: number[] = []
      for (let k = at + 3; k < behind; k++) fds.push(rows[k] as number)
      sets.push({ end: known + (rows[at] as number), truncated: rows[at + 1] === 1, fds })
      at = behind
    }
    this.#setsReceived += count
    return sets
  }

  /** Deals with a send that failed; true: try again at once. */
  #mend(error: number): boolean {
    switch (error) {
      case Errno.EAGAIN:
        this.#awaitWritable()
        return false
      case Errno.ETOOMANYREFS:
        return this.#waitToSend('in-flight')
      case Errno.ENOBUFS:
      case Errno.ENOMEM:
        return this.#waitToSend('memory')
      case Errno.EPERM:
        return this.#refuse(
          new PermissionError(
            'sendmsg: EPERM; the peer refuses descriptors (SO_PASSRIGHTS is off at its end): send the frame without',
            { errno: error, syscall: 'sendmsg' },
          ),
        )
      case Errno.EBADF:
        return this.#refuse(
          new SystemError(
            error,
            'sendmsg',
            undefined,
            'a descriptor of the frame is not open: it was closed too early',
          ),
        )
      case Errno.EMSGSIZE:
        return this.#refuse(tooLong(this.#fd))
      case Errno.EFAULT:
        this.#failSending(
          new UsageError(
            'a payload that waited to be sent has lost its memory (transferred or shrunk): keep it until flush',
          ),
        )
        return false
      default:
        this.#failSending(new SystemError(error, 'sendmsg'))
        return false
    }
  }

  #awaitWritable(): void {
    this.#writeBlocked = true
    try {
      this.#watch()
    } catch (failure) {
      this.#failSending(failure as SystemError) // nothing would tell when it can go on
    }
  }

  /** The group at the head fails alone, if none of its bytes went; true: the next ones may go. */
  #refuse(error: PillionError): boolean {
    if (!this.#queue.headIsFresh) {
      this.#failSending(error)
      return false
    }
    this.#sendWait?.reset()
    const sent = this.#queue.settled
    let told = false
    try {
      this.#handlers.onRefused(this.#queue.dropHead(), error, sent)
      told = true
    } finally {
      if (!told) this.#flushLater() // what a listener throws must not strand what is behind
    }
    return !this.closed && !this.sendBlocked // the handler may have sent meanwhile
  }

  #flushLater(): void {
    if (this.#flushDue) return
    this.#flushDue = true
    flushSoon(this)
  }

  /** No event tells when it has passed: a timer asks again, up to a bound. */
  #waitToSend(reason: 'in-flight' | 'memory'): boolean {
    this.#sendWait ??= new Backoff()
    const { waited } = this.#sendWait
    if (waited >= this.#settings.pressureTimeout && waited > 0) {
      const what = reason === 'in-flight' ? 'ETOOMANYREFS, this user has too many descriptors in flight' : 'no memory'
      return this.#refuse(new TimeoutError(`sendmsg: ${what}, for ${Math.round(waited)} ms`))
    }
    this.#pressures++
    const retryIn = this.#sendWait.again(() => this.flush())
    this.#handlers.onPressure?.({ reason, direction: 'send', retryIn, waited })
    return false
  }

  #failSending(error: PillionError): void {
    this.#sendWait?.reset()
    this.#queue.clear()
    this.#writeBlocked = false
    this.#watch()
    this.#handlers.onSendError(error)
  }

  /** The table has no room for a full set: wait rather than lose, but not for ever. */
  #waitForTable(): void {
    this.#receiveWait ??= new Backoff()
    const { waited } = this.#receiveWait
    if (waited >= this.#settings.pressureTimeout && waited > 0) {
      this.#receiveWait.reset()
      this.#takeRisk(true)
      return
    }
    this.#pressures++
    const retryIn = this.#receiveWait.again(() => this.#watch())
    this.#watch()
    this.#handlers.onPressure?.({ reason: 'descriptor-table', direction: 'receive', retryIn, waited })
  }

  /** At risk, descriptors are received though the table may not hold them; a loss is reported with its set. */
  #takeRisk(atRisk: boolean): void {
    this.#atRisk = atRisk
    const { headroom, busyPoll, acceptDescriptors } = this.#settings
    this.#native.configure(atRisk ? 0 : headroom, busyPoll, acceptDescriptors)
  }

  #watch(): void {
    if (this.closed) return
    const receives = this.#reading && this.#receiveWait?.pending !== true
    const events = (receives ? Events.readable : 0) | (this.#writeBlocked ? Events.writable : 0)
    if (events === this.#events) return
    const error = this.#native.watch(events)
    if (error < 0) throw new SystemError(error, 'epoll_ctl')
    this.#events = events
  }
}

/** The kernel takes a message only if it fits into the send buffer with some bytes of its own (docs/kernel.md fact 20). */
function tooLong(fd: number): FrameTooLargeError {
  const limit = Math.max(0, binding.sendBuffer(fd) - 32)
  return new FrameTooLargeError(
    `sendmsg: EMSGSIZE; a message goes whole, and the send buffer takes ${limit} bytes at once: raise sendBuffer`,
    limit,
  )
}

function closeSets(sets: readonly DescriptorSet[]): void {
  for (const { fds } of sets) closeDescriptors(fds)
}

class ReceivedChunk implements Received {
  lent = 0
  bytes: Uint8Array = nothing
  start = 0
  end = 0
  position = 0
  sets: readonly DescriptorSet[] = noSets

  keep(): void {
    keepReceived(this.end)
  }
}

/** Memory of its own, which stays as it is. */
class OwnChunk extends ReceivedChunk {
  override keep(): void {}
}
