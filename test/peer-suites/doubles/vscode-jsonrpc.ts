/**
 * vscode-jsonrpc as its tests import it, but that the two ends of a pair of streams are those of a stream of frames: as JSON or
 * as MessagePack (PEER_SUITES_VARIANT).
 */
import { type FrameStream, pair, pillion } from 'pillion'
import { createMessageConnection as createOverPillion } from 'pillion/adapters/vscode-jsonrpc'
import { contentLength } from 'pillion/framing'
import * as library from 'vscode-jsonrpc/node'
import { markOverPillion } from '../over-pillion.js'

export * from 'vscode-jsonrpc/node'

const codec = process.env.PEER_SUITES_VARIANT === 'MessagePack' ? pillion() : contentLength()

/** What one connection writes the other reads: either of the tests' streams names its end. */
const ends = new WeakMap<object, FrameStream>()

export function createMessageConnection(
  input: object,
  output: object,
  ...options: [library.Logger?, library.ConnectionOptions?]
): library.MessageConnection {
  if (input instanceof library.PortMessageReader && output instanceof library.PortMessageWriter) {
    return library.createMessageConnection(input, output, ...options)
  }
  markOverPillion()
  return createOverPillion(endOf(input, output), ...options)
}

function endOf(input: object, output: object): FrameStream {
  const end = ends.get(input)
  if (end !== undefined) return end
  const [near, far] = pair({ codec })
  ends.set(input, near).set(output, far)
  return near
}
