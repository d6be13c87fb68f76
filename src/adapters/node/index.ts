/**
 * pillion/adapters/node: frame streams and descriptors as Node's own streams and servers, for code that knows nothing else.
 */

export {
  type FileOptions,
  listenOn,
  toReadStream,
  toServer,
  toSocket,
  toTty,
  toWriteStream,
} from './descriptor-streams.js'
export { type ByteDuplex, type DuplexOptions, type FrameDuplex, toDuplex } from './duplex.js'
