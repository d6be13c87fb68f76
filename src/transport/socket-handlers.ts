/**
 * What a socket tells its user, and when: the calls, and the terms that they are in.
 */
import type { PillionError } from '../errors.js'
import type { Received } from './received.js'

/** Why a socket waits: the descriptor table is full, too many descriptors are in flight, or memory is short. */
export interface Pressure {
  readonly reason: 'descriptor-table' | 'in-flight' | 'memory'
  readonly direction: 'receive' | 'send'
  /** Milliseconds until the next try. */
  readonly retryIn: number
  /** Milliseconds that this has lasted. */
  readonly waited: number
}

/** A group of pieces, or a message, that was dropped alone. */
export interface RefusedGroup {
  readonly group: number
  readonly error: PillionError
  /** What was queued up to there has gone. */
  readonly sent: number
  /** That it bore, and that are closed now where the queue owned them. */
  readonly descriptors: number
}

/** What a socket tells; each is called from the event loop, or from `flush`. */
export interface SocketHandlers {
  /**
   * New bytes, sets, or both: takes them in, and runs nobody else's code. Owns the sets' descriptors from now on.
   * Returns how many of [start, end) it has done with; the rest is presented again, in front of what comes next (keep
   * it below 64 KiB: lend memory for more). Of messages, it has done with all.
   */
  onReceived(received: Received): number
  /** Follows onReceived: the time to hand on what it took in. What this throws disturbs nothing here. */
  onDeliver?(received: Received): void
  /** The peer has ended its direction. Everything it sent has been handed over. */
  onEnd(): void
  /** Receiving failed for good (after all that arrived was handed over). The socket is still open: close it. */
  onReceiveError(error: PillionError): void
  /** Sending failed for good; the queue has been dropped. */
  onSendError(error: PillionError): void
  /** A group was dropped before any of its bytes went; the stream goes on. */
  onRefused(refused: RefusedGroup): void
  /** Bytes left the queue. */
  onSent?(): void
  onPressure?(pressure: Pressure): void
}

/** Counters since the socket was made. */
export interface SocketStats {
  readonly bytesReceived: number
  readonly bytesSent: number
  readonly setsReceived: number
  readonly receiveCalls: number
  readonly sendCalls: number
  /** Times that sending stopped because the kernel's buffer was full: the peer does not receive. */
  readonly sendPauses: number
  /** Times that receiving or sending waited for pressure to pass. */
  readonly pressures: number
}
