/**
 * Receiving: a socket's way in. Hands on what a wake-up brought into the thread's slab, each set with the place where its
 * recvmsg ended, and waits rather than lose while the descriptor table is full. Knows nothing of sending.
 */
import { type PillionError, UsageError } from '../errors.js'
import { Backoff } from './backoff.js'
import { closeDescriptors } from './descriptor.js'
import { joinSpilled, messageSets, messageSpill } from './message-rows.js'
import { binding, Control, Events, Status } from './native.js'
import { guardSlabsSoon, keepReceived, receiveSlab, renewReceiveSlab, slabsAreGuarded } from './receive-slab.js'
import type { DescriptorSet, Received } from './received.js'
import type { SocketHandlers } from './socket-handlers.js'
import type { SocketSettings } from './socket-options.js'
import { Errno } from './system-calls.js'
import { handOver } from './turn.js'
import type { Reader, WatchedSocket } from './watched-socket.js'

const noSets: readonly DescriptorSet[] = []
const nothing = new Uint8Array(0)

export class Receiving implements Reader {
  readonly #socket: WatchedSocket
  readonly #handlers: SocketHandlers
  readonly #settings: SocketSettings
  /** Where boundaries are kept: what a message goes on in, and the most that one may have. */
  readonly #spill: Uint8Array
  /** Made when the descriptor table is full for the first time. */
  #wait: Backoff | undefined
  #reading = false
  #atRisk = false
  #tellsReceives = false
  #position = 0
  #carried = 0
  #sets = 0
  #calls = 0
  #pressures = 0

  /** @param longest where boundaries are kept: the longest message that is received whole */
  constructor(socket: WatchedSocket, handlers: SocketHandlers, settings: SocketSettings, longest: number) {
    this.#socket = socket
    this.#handlers = handlers
    this.#settings = settings
    this.#spill = settings.keepsMessages ? messageSpill(longest) : nothing
    socket.reader = this
    if (receiveSlab().length === 0) renewReceiveSlab()
    if (settings.keepsMessages) socket.lend(this.#spill, 0)
    this.#takeRisk(false)
  }

  readable(): void {
    handOver(take, this)
  }

  /** Takes what the native side has left in `control` and `received`. */
  take(): void {
    if (!slabsAreGuarded()) guardSlabsSoon()
    if (this.#settings.keepsMessages) this.#takeMessages()
    else this.#takeBytes()
  }

  get stats(): { bytes: number; sets: number; calls: number; pressures: number } {
    const bytes = this.#position + this.#carried
    return { bytes, sets: this.#sets, calls: this.#calls, pressures: this.#pressures }
  }

  /** Throws SystemError when the socket cannot be watched. */
  resume(): void {
    if (this.#socket.closed || this.#reading) return
    this.#reading = true
    try {
      this.#watch()
    } catch (error) {
      this.#reading = false
      throw error
    }
  }

  pause(): void {
    if (!this.#reading) return
    this.#reading = false
    this.#wait?.reset()
    this.#watch()
  }

  /** The next bytes go into `memory`, and `ahead` behind those into the slab; not of messages. */
  lend(memory: Uint8Array | undefined, ahead: number): void {
    if (!this.#socket.closed && !this.#settings.keepsMessages) this.#socket.lend(memory, ahead)
  }

  /** From now on each recvmsg is told of by a set, if only an empty one. */
  tellReceives(): void {
    this.#tellsReceives = true
    this.#takeRisk(this.#atRisk)
  }

  /** Bytes that were received before; the first `consumed` of them are done with. */
  preload(bytes: Uint8Array, consumed: number): void {
    if (this.#socket.closed) return
    const rest = bytes.subarray(consumed)
    this.#socket.preload(rest)
    this.#position = consumed
    this.#carried = rest.length
  }

  setRef(ref: boolean): void {
    this.#wait?.setRef(ref)
  }

  /** The socket has been closed. */
  close(): void {
    this.#reading = false
    this.#wait?.reset()
  }

  #takeBytes(): void {
    const { control, received: rows } = binding
    const status = control[Control.status] as number
    if (status === Status.noRoom) {
      renewReceiveSlab() // the slab was full, or its buffer has been transferred away
      return
    }
    if (status === Status.bytesGone) {
      this.#fail(
        new UsageError(
          `${this.#socket.named('recvmsg')}: the memory of received bytes was transferred, with some that nobody had consumed`,
        ),
      )
      return
    }
    this.#calls += control[Control.receiveCalls] as number
    const lent = control[Control.lent] as number
    const start = control[Control.start] as number
    const end = control[Control.end] as number
    const known = this.#position + this.#carried // every byte before this wake-up's
    const chunk = theChunk
    chunk.lent = lent
    chunk.bytes = receiveSlab()
    chunk.start = start
    chunk.end = end
    chunk.position = this.#position + lent
    chunk.sets = this.#takeSets(control[Control.sets] as number, rows, known)
    if (lent === 0 && end - start === this.#carried && chunk.sets.length === 0) {
      control[Control.consumed] = 0 // nothing new, only a status
      this.#follow(status)
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
      this.#follow(status)
    }
  }

  #takeMessages(): void {
    const { control, received: rows } = binding
    const status = control[Control.status] as number
    if (status === Status.noRoom) {
      renewReceiveSlab()
      return
    }
    this.#calls += control[Control.receiveCalls] as number
    const slab = receiveSlab()
    const start = control[Control.start] as number
    const end = control[Control.end] as number
    const spilled = control[Control.lent] as number
    const sets = messageSets(control[Control.sets] as number, rows, this.#position)
    this.#sets += sets.length
    const long = spilled > 0 ? sets.splice(-1) : noSets
    const endOfShort = start + (sets.at(-1)?.end ?? this.#position) - this.#position
    // Taken out of the memory that is shared before anybody else's code runs.
    const joined = spilled > 0 ? joinSpilled(slab.subarray(endOfShort, end), this.#spill.subarray(0, spilled)) : nothing
    try {
      if (sets.length > 0) this.#present(theChunk, slab, start, endOfShort, sets)
    } finally {
      try {
        if (this.#socket.closed) closeSets(long)
        else if (long.length > 0) this.#present(new OwnChunk(), joined, 0, joined.length, long)
      } finally {
        this.#follow(status)
      }
    }
  }

  #present(chunk: ReceivedChunk, bytes: Uint8Array, start: number, end: number, sets: readonly DescriptorSet[]): void {
    chunk.lent = 0
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
      this.#fail(this.#socket.failure(Errno.ENOMEM, 'recvmsg', error.message))
      return undefined
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
    this.#sets += this.#tellsReceives ? sets.filter(bearsAny).length : count
    return sets
  }

  /** What the status says, once all that came with it has been handed on. */
  #follow(status: number): void {
    if (this.#socket.closed) return
    // What was waited for is over as soon as something could be received.
    if (status !== Status.pressure) this.#wait?.reset()
    if (this.#atRisk && binding.hasHeadroom(this.#settings.headroom)) this.#takeRisk(false)
    if (status === Status.endOfFile) {
      this.pause()
      this.#handlers.onEnd()
    } else if (status === Status.unstamped) {
      this.#fail(
        new UsageError(
          `${this.#socket.named('recvmsg')}: the end, or an empty message that was the last: whoever shares the socket has switched SO_TIMESTAMP off, which tells them apart`,
        ),
      )
    } else if (status === Status.pressure) {
      this.#waitForTable()
    } else if (status < 0) {
      this.#fail(this.#socket.failure(status, 'recvmsg'))
    }
  }

  /** The table has no room for a full set: wait rather than lose, but not for ever. */
  #waitForTable(): void {
    this.#wait ??= new Backoff()
    const { waited } = this.#wait
    if (waited >= this.#settings.pressureTimeout && waited > 0) {
      this.#wait?.reset()
      this.#takeRisk(true)
      return
    }
    this.#pressures++
    const retryIn = this.#wait.again(() => this.#watch(), this.#socket.keepsAlive)
    this.#watch()
    this.#handlers.onPressure?.({ reason: 'descriptor-table', direction: 'receive', retryIn, waited })
  }

  /** At risk, descriptors are received though the table may not hold them; a loss is reported with its set. */
  #takeRisk(atRisk: boolean): void {
    this.#atRisk = atRisk
    const { headroom, busyPoll, acceptDescriptors } = this.#settings
    this.#socket.configure(atRisk ? 0 : headroom, busyPoll, acceptDescriptors, this.#tellsReceives)
  }

  #fail(error: PillionError): void {
    this.pause()
    this.#handlers.onReceiveError(error)
  }

  #watch(): void {
    this.#socket.watchFor(Events.readable, this.#reading && this.#wait?.pending !== true)
  }
}

function take(receiving: Receiving): void {
  receiving.take()
}

function closeSets(sets: readonly DescriptorSet[]): void {
  for (const { fds } of sets) closeDescriptors(fds)
}

function bearsAny({ fds, truncated }: DescriptorSet): boolean {
  return fds.length > 0 || truncated
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

/** The thread's: a wake-up has been handed on before there is another one. */
const theChunk = new ReceivedChunk()

/** Memory of its own, which stays as it is. */
class OwnChunk extends ReceivedChunk {
  override keep(): void {}
}
