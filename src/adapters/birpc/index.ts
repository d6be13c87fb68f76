/**
 * birpc over a pillion stream: its channel, with every value that pillion's RPC carries, Descriptors among them.
 *
 * Of birpc only the types are imported: the program calls `createBirpc` itself.
 */
import type { BirpcResolver, ChannelOptions } from 'birpc'
import type { FrameStream } from '../../stream/index.js'
import type { UntakenOptions } from '../link/untaken.js'
import type { ValueLinkOptions } from '../link/value-link.js'
import { ChannelLink } from './channel-link.js'
import { ownFunction } from './messages.js'

export type BirpcStreamOptions = ValueLinkOptions & UntakenOptions

/** To be given to `createBirpc`, alone or among other options. */
export interface BirpcChannel extends ChannelOptions {
  /** Finds the functions' own names, and those of their classes; none of Object.prototype. Another must see to that itself. */
  // biome-ignore lint/suspicious/noExplicitAny: the library's `this` depends on what createBirpc is given
  readonly resolver: BirpcResolver<any>
}

/**
 * What `create` makes of a channel over the stream: `createBirpc(functions, channel)`. It is closed (`$close`) when the
 * stream ends, with what ended it, and the stream when it is. Owns the stream.
 */
export function overStream<Rpc extends { $close(error?: Error): void }>(
  stream: FrameStream,
  create: (channel: BirpcChannel) => Rpc,
  options: BirpcStreamOptions = {},
): Rpc {
  const { channel } = new ChannelLink(stream, options, (error) => rpc.$close(error))
  let rpc: Rpc
  try {
    rpc = create({ ...channel, resolver: ownFunction })
  } catch (error) {
    stream.destroy()
    throw error
  }
  return rpc
}

/** The channel alone, as for `createBirpcGroup`: calls are rejected when the stream ends. Owns the stream. */
export function birpcChannel(stream: FrameStream, options: BirpcStreamOptions = {}): BirpcChannel {
  return { ...new ChannelLink(stream, options).channel, resolver: ownFunction }
}
