/**
 * The one msgpackr of the RPC layer: plain MessagePack, no records, no extensions; so it shares nothing with whoever else
 * uses msgpackr in this process.
 */
import { Packr } from 'msgpackr'

const packr = new Packr({
  useRecords: false,
  structuredClone: false,
  moreTypes: false,
  variableMapSize: true,
  copyBuffers: false,
  int64AsType: 'number',
  useBigIntExtension: false,
})

/** Memory that is nobody else's. The value holds nothing that MessagePack has no word for. */
export function pack(value: unknown): Uint8Array {
  return packr.pack(value)
}

/** The bytes have been scanned. Binaries in it are views of them. */
export function unpack(bytes: Uint8Array): unknown {
  return packr.unpack(bytes)
}
