/**
 * The one msgpackr of the RPC layer, which reads what scan.ts has let pass: plain MessagePack, no records, no extensions.
 * So it shares nothing with whoever else uses msgpackr in this process. What is written, ValueWriter writes.
 */
import { Unpackr } from 'msgpackr'

const unpackr = new Unpackr({
  useRecords: false,
  structuredClone: false,
  moreTypes: false,
  mapsAsObjects: true,
  copyBuffers: false,
  int64AsType: 'number',
})

/** The bytes have been scanned. Binaries in it are views of them. */
export function unpack(bytes: Uint8Array): unknown {
  return unpackr.unpack(bytes)
}
