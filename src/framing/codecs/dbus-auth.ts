/**
 * The text phase of a D-Bus connection: when it is over, for each direction. A state, not a guess by the first byte:
 * `BEGIN` starts with `B`, as a big-endian message does.
 *
 * The client commands, the server answers each command but BEGIN with one line. Behind BEGIN the client sends messages;
 * the server does once it has answered what came before. A client may have sent it all without waiting.
 */
export type DbusSide = 'client' | 'server'

/** libdbus ends the connection over more (its buffer in the text phase). */
export const mostLineBytes = 16 * 1024

const lineFeed = 0x0a
const carriageReturn = 0x0d

export class DbusAuth {
  #begun: boolean
  #commanded = false
  #unanswered = 0

  constructor(done: boolean) {
    this.#begun = done
  }

  /** Whether what that side sends next is a line. */
  isText(side: DbusSide): boolean {
    return !this.#begun || (side === 'server' && this.#unanswered > 0)
  }

  /** What is wrong with a line of that side, CRLF included, as its next one. */
  violationIn(side: DbusSide, line: Uint8Array): string | undefined {
    const { length } = line
    if (line[length - 1] !== lineFeed || line[length - 2] !== carriageReturn) return 'a line does not end with CRLF'
    if (line.indexOf(lineFeed) < length - 1) return 'there is more than one line'
    const nul = line.lastIndexOf(0)
    const first = side === 'client' && !this.#commanded
    if (first && line[0] !== 0) return "a client's first line does not begin with NUL"
    return nul > (first ? 0 : -1) ? 'a line holds NUL' : undefined
  }

  /** That side has sent a line in which nothing is wrong. */
  pass(side: DbusSide, line: Uint8Array): void {
    if (side === 'server') {
      this.#unanswered--
      return
    }
    const command = Buffer.from(line.subarray(this.#commanded ? 0 : 1, -2)).toString('latin1')
    this.#commanded = true
    if (/^BEGIN(?: |$)/.test(command)) this.#begun = true
    else this.#unanswered++
  }
}
