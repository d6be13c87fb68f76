/**
 * The service's protocol: a request has a number and any bytes; its answer has the number, how many requests the connection
 * has made, which the server must remember, and who answers. Frames of pillion's default format.
 */
export interface Answer {
  readonly sequence: number
  /** Of this connection, this one included: the state that a restart must not lose. */
  readonly served: number
  readonly generation: number
}

export function encodeRequest(sequence: number, size: number): Uint8Array {
  const bytes = Buffer.alloc(4 + size, sequence)
  bytes.writeUInt32LE(sequence)
  return bytes
}

export function sequenceOf(request: Uint8Array): number {
  return viewOf(request).getUint32(0, true)
}

export function encodeAnswer({ sequence, served, generation }: Answer): Uint8Array {
  const bytes = new Uint8Array(12)
  const view = viewOf(bytes)
  for (const [i, value] of [sequence, served, generation].entries()) view.setUint32(4 * i, value, true)
  return bytes
}

export function decodeAnswer(bytes: Uint8Array): Answer {
  const view = viewOf(bytes)
  const [sequence, served, generation] = [0, 4, 8].map((at) => view.getUint32(at, true)) as [number, number, number]
  return { sequence, served, generation }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}
