/**
 * Who calls: the library hands on a socket's address as that of a call's peer, which here is the name under which the kernel's
 * word on that peer is kept. Knows no server.
 */
import { Socket } from 'node:net'
import { ClosedError, UsageError } from '../../errors.js'
import { Peer } from '../../transport/index.js'

/** What every call has that a handler is given. */
export interface CallWithPeer {
  getPeer(): string
}

/**
 * The process that makes this call, as the kernel knows it; to be asked while the connection is there, so at the beginning of
 * a handler: afterwards it is a ClosedError. A call that came another way has none: UsageError, or ClosedError where the
 * library knows no address for it.
 */
export function peerOf(call: CallWithPeer): Peer {
  const name = call.getPeer()
  const peer = peers.get(name)
  if (peer !== undefined) return peer
  if (name !== 'unknown' && !name.startsWith(prefix)) {
    throw new UsageError(`the call of ${name} did not come by a listener of pillion's`)
  }
  throw new ClosedError("the call's connection is gone, or did not come by a listener of pillion's")
}

const prefix = 'unix:pid='
const peers = new Map<string, Peer>()
let introduced = 0

/** A connected socket, of whose calls `peerOf` knows the peer. Owns the number, unless the constructor throws. */
export class PeerSocket extends Socket {
  readonly #name: string

  constructor(fd: number) {
    let isClosed = () => false
    const peer = new Peer({
      get fd() {
        if (isClosed()) throw new ClosedError('the connection is closed')
        return fd
      },
    })
    super({ fd, readable: true, writable: true })
    isClosed = () => this.destroyed
    this.#name = `${prefix}${peer.pid},uid=${peer.uid},gid=${peer.gid},connection=${++introduced}`
    Object.defineProperty(this, 'remoteAddress', { value: this.#name })
    peers.set(this.#name, peer)
  }

  /** Here the number is given back. */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    peers.delete(this.#name)
    super._destroy(error, done)
  }
}
