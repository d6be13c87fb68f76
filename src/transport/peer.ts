/**
 * Peer: who is at the other end of a socket, as the kernel tells it.
 *
 * Owns nothing: it asks through a descriptor that its source keeps open. Decides nothing about what a peer may do.
 */
import { inspect } from 'node:util'
import { adoptOwned, type Descriptor } from './descriptor.js'
import { binding } from './native.js'
import { Errno } from './system-calls.js'
import { succeeded, systemFailure } from './system-failure.js'

/** A socket that is alive: its `fd` throws once it is closed, when the number may be another file's. */
export interface PeerSource {
  readonly fd: number
  /** Named by errors, where there is one. */
  readonly address?: string | undefined
}

/**
 * The process at the other end. The kernel took its credentials at the moment it called connect(), listen() (seen from
 * the client) or socketpair(), and they cannot be forged; but another process may have the socket by now, and the same
 * process other rights. Ids are as this process's namespaces show them.
 */
export class Peer {
  /**
   * 0 when it lives in a pid namespace that cannot be seen from here. It may have ended since, and the number been given
   * to another process: who acts on a process uses `pidfd()`.
   */
  readonly pid: number
  /** The effective user; 65534 as a rule when this user namespace has no name for it. */
  readonly uid: number
  /** The effective group. */
  readonly gid: number
  readonly #source: PeerSource
  #groups: readonly number[] | undefined
  #label: { readonly text: string | undefined } | undefined

  /** Throws SystemError (ENOTCONN, ENOTSOCK) when the source is no connected socket. */
  constructor(source: PeerSource) {
    const credentials = binding.peerCredentials(source.fd)
    if (typeof credentials === 'number') throw systemFailure(credentials, 'getsockopt', source.address, 'SO_PEERCRED')
    this.pid = credentials.pid
    this.uid = credentials.uid
    this.gid = credentials.gid
    this.#source = source
  }

  /** The supplementary groups. Asked at first use, which throws ClosedError when the socket is closed by then. */
  get groups(): readonly number[] {
    if (this.#groups === undefined) {
      const groups = binding.peerGroups(this.#source.fd)
      if (typeof groups === 'number') throw systemFailure(groups, 'getsockopt', this.#source.address, 'SO_PEERGROUPS')
      this.#groups = Object.freeze(groups)
    }
    return this.#groups
  }

  /**
   * The security label (SELinux, AppArmor, Smack); undefined when this kernel labels no sockets. Asked at first use,
   * as `groups` is.
   */
  get label(): string | undefined {
    if (this.#label === undefined) {
      const text = binding.peerLabel(this.#source.fd)
      if (typeof text === 'number') throw systemFailure(text, 'getsockopt', this.#source.address, 'SO_PEERSEC')
      this.#label = { text }
    }
    return this.#label.text
  }

  /**
   * A new descriptor of the very process that connected, which stays that process's when its pid is reused. The caller
   * closes it. Needs Linux 6.5; SystemError with code ENODATA or ESRCH when the process has ended and is forgotten.
   */
  pidfd(): Descriptor {
    const fd = binding.peerPidfd(this.#source.fd)
    const advice = fd === Errno.ENOPROTOOPT ? 'SO_PEERPIDFD needs Linux 6.5 or later' : 'SO_PEERPIDFD'
    return adoptOwned(succeeded(fd, 'getsockopt', this.#source.address, advice))
  }

  [inspect.custom](): string {
    return `Peer { pid: ${this.pid}, uid: ${this.uid}, gid: ${this.gid} }`
  }
}
