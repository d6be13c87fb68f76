/**
 * Parses the examples of docs/protocol.md: blocks fenced as `example`, a step a line. The page says how they are written.
 *
 * Throws on a line that it does not understand: an example that nobody checks would be worse than none.
 */
export interface ExampleFrame {
  readonly kind: 'frame'
  readonly payload: Uint8Array
  readonly fds: readonly number[]
  readonly lost: number
  readonly flags: number
}

/** A sendmsg. */
export interface ExampleSend {
  readonly kind: 'send'
  readonly bytes: Uint8Array
  readonly fds: readonly number[]
}

/** A recvmsg. */
export interface ExampleRead {
  readonly kind: 'read'
  readonly bytes: Uint8Array
  readonly fds: readonly number[]
  readonly truncated: boolean
}

export interface ExampleError {
  readonly kind: 'error'
  readonly code: string
}

export type Step = ExampleFrame | ExampleSend | ExampleRead | ExampleError

export interface Example {
  /** Of the page, from 1 on: where the block starts. */
  readonly line: number
  readonly steps: readonly Step[]
}

export function parseExamples(page: string): Example[] {
  return [...page.matchAll(/^```example\n([\s\S]*?)^```$/gm)].map((match) => ({
    line: page.slice(0, match.index).split('\n').length,
    steps: (match[1] ?? '').trimEnd().split('\n').map(parseStep),
  }))
}

function parseStep(line: string): Step {
  const frame = /^frame (?:"([^"]*)"|<([\da-f ]*)>)(?: \[([\d. ]+)\])?(?: lost (\d+))?(?: flags (\d+))?$/.exec(line)
  if (frame !== null) {
    const [, text, hex, fds, lost = '0', flags = '0'] = frame
    const payload = hex === undefined ? Buffer.from(text ?? '') : parseHex(hex)
    return { kind: 'frame', payload, fds: parseDescriptors(fds), lost: Number(lost), flags: Number(flags) }
  }
  const message = /^(send|read) +((?:[\da-f]{2} *)+)(?:\[([\d. ]+)\])?( truncated)?$/.exec(line)
  if (message !== null) {
    const [, kind, hex = '', list, truncated] = message
    const bytes = parseHex(hex)
    const fds = parseDescriptors(list)
    if (kind === 'read') return { kind: 'read', bytes, fds, truncated: truncated !== undefined }
    if (truncated === undefined) return { kind: 'send', bytes, fds }
  }
  const code = /^error (ERR_PILLION_\w+)$/.exec(line)?.[1]
  if (code === undefined) throw new Error(`an example of docs/protocol.md has a line that is no step: ${line}`)
  return { kind: 'error', code }
}

function parseHex(hex: string): Uint8Array {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex')
}

/** `1 2 3` or `1..300`. */
function parseDescriptors(list: string | undefined): number[] {
  if (list === undefined) return []
  const [, first, last] = /^(\d+)\.\.(\d+)$/.exec(list) ?? []
  if (first === undefined) return list.split(' ').map(Number)
  return Array.from({ length: Number(last) - Number(first) + 1 }, (_, i) => Number(first) + i)
}
