/**
 * StreamStats: what a stream counts, for whoever watches it. docs/guarantees.md, *Counting*, says what each one is for.
 */

/** Counters since the stream began. */
export interface StreamStats {
  readonly received: DirectionStats
  readonly sent: DirectionStats & {
    /** Frames that `send` took and that were dropped alone later (`refused`). */
    readonly refused: number
  }
  /** Times that either direction waited for the machine (`pressure`). */
  readonly pressures: number
}

export interface DirectionStats {
  /** On the wire, framing included. */
  readonly bytes: number
  readonly frames: number
  readonly descriptors: number
  /** recvmsg and recvmmsg; or send, sendmsg and sendmmsg. */
  readonly systemCalls: number
  /** Times that the direction stopped: to receive, since nobody consumed; to send, since the kernel's buffer was full. */
  readonly pauses: number
  /** Descriptors announced to us that were lost; or of frames sent that were dropped alone (`refused`). */
  readonly lost: number
}
