/**
 * CapTables: capabilities as a message names them, and back, for one connection: what is ours, what is the peer's, and
 * what lies in the answer to a question. A capability of the peer's is named as that, so that no call makes a detour.
 */
import { RpcError } from '../rpc-error.js'
import type { Answer } from './answer.js'
import { BrokenCapability } from './broken-capability.js'
import type { Capability } from './capability.js'
import type { Described, Exports } from './exports.js'
import { ImportCapability } from './import-capability.js'
import type { Imports } from './imports.js'
import { type CapDescriptor, type MessageTarget, noPath, type WirePayload } from './messages.js'
import type { Payload } from './payload.js'
import { PinnedImport, PinnedPipeline } from './pinned-capability.js'
import { capabilityAt, PipelineCapability } from './pipeline-capability.js'
import { Question } from './question.js'

export class CapTables {
  readonly #host: unknown
  readonly #exports: Exports
  readonly #imports: Imports
  readonly #answerOf: (questionId: number) => Answer

  /** @param answerOf a question of the peer's; throws for one that is not open */
  constructor(host: unknown, exports: Exports, imports: Imports, answerOf: (questionId: number) => Answer) {
    this.#host = host
    this.#exports = exports
    this.#imports = imports
    this.#answerOf = answerOf
  }

  /** Whether all can be named to the peer within the limit of exports. */
  hasRoomFor(caps: readonly Capability[]): boolean {
    const { room } = this.#exports
    if (caps.length <= room) return true
    const added = new Set<Capability>()
    for (const { resolved } of caps) {
      if (!this.#exports.has(resolved) && this.loopbackTarget(resolved) === undefined) added.add(resolved)
    }
    return added.size <= room
  }

  /** Why what a payload of the peer's names is not received, if it is not: it would be more than is held. */
  faultOfNames(capTable: readonly CapDescriptor[]): RpcError | undefined {
    return capTable.length === 0 ? undefined : this.#imports.faultOf(capTable)
  }

  /** Names a capability to the peer. Takes over the reference. */
  describe(cap: Capability): Described {
    const resolved = cap.resolved.addRef()
    cap.release()
    if (resolved instanceof ImportCapability && resolved.host === this.#host) {
      const descriptor = { kind: 'receiverHosted', id: resolved.id, transform: noPath } as const
      // One that cannot change needs no pin, and is held.
      if (resolved.resolution === undefined) return { descriptor, pinned: resolved }
      const pinned = new PinnedImport(resolved)
      resolved.release()
      return { descriptor, pinned }
    }
    if (resolved instanceof PipelineCapability) {
      const { source } = resolved.answer
      if (source instanceof Question && source.host === this.#host && source.canPipeline) {
        const descriptor = { kind: 'receiverAnswer', id: source.id, transform: resolved.path } as const
        return { descriptor, pinned: new PinnedPipeline(resolved, source) }
      }
    }
    const pinned = resolved instanceof PinnedImport || resolved instanceof PinnedPipeline
    if (pinned && resolved.host === this.#host && resolved.broken === undefined) {
      const { kind, id, transform } = resolved.target
      const named = kind === 'importedCap' ? 'receiverHosted' : 'receiverAnswer'
      return { descriptor: { kind: named, id, transform }, pinned: resolved }
    }
    const { kind, id } = this.#exports.add(resolved.addRef())
    return { descriptor: { kind, id, transform: noPath }, pinned: resolved }
  }

  /** What the peer has named; a reference of the caller's own. Throws for a name that is none. */
  receive({ kind, id, transform }: CapDescriptor): Capability {
    switch (kind) {
      case 'senderHosted':
      case 'senderPromise':
        return this.#imports.name(id, kind === 'senderPromise')
      case 'receiverHosted':
        return this.#exports.get(id).addRef()
      case 'receiverAnswer':
        return capabilityAt(this.#answerOf(id), transform)
      default:
        return new BrokenCapability(new RpcError('failed', 'a null capability was passed', { origin: 'remote' }))
    }
  }

  /** All of a payload's; what was named before a fault is released. */
  receiveAll(descriptors: readonly CapDescriptor[]): readonly Capability[] {
    if (descriptors.length === 0) return noneHeld
    if (descriptors.length === 1) return [this.receive(descriptors[0] as CapDescriptor)]
    const caps: Capability[] = []
    try {
      for (let i = 0; i < descriptors.length; i++) caps.push(this.receive(descriptors[i] as CapDescriptor))
    } catch (error) {
      for (const cap of caps) cap.release()
      throw error
    }
    return caps
  }

  /** A payload as a message bears it, and what its names stand for from now on. Takes over the payload's references. */
  describeAll(payload: Payload): { readonly wire: WirePayload; readonly pinned: readonly Capability[] } {
    if (payload.caps.length === 0) {
      return { wire: wireOf(payload), pinned: noneHeld }
    }
    const { length } = payload.caps
    const capTable = new Array<CapDescriptor>(length) // of its length at once: one that grows takes room for 17
    const pinned = new Array<Capability>(length)
    for (let i = 0; i < length; i++) {
      const described = this.describe(payload.caps[i] as Capability)
      capTable[i] = described.descriptor
      pinned[i] = described.pinned
    }
    return { wire: { content: payload.content, capTable }, pinned }
  }

  /** What was described is not sent after all: the names are given back, and what they stand for. */
  takeBack({ wire, pinned }: { readonly wire: WirePayload; readonly pinned: readonly Capability[] }): void {
    for (const { kind, id } of wire.capTable) {
      if (kind === 'senderHosted' || kind === 'senderPromise') this.#exports.release(id, 1)
    }
    for (const cap of pinned) cap.release()
    wire.onSent?.() // whose memory it is gets it back
  }

  /** Where a disembargo has to go on to, if the capability is one of the peer's. */
  loopbackTarget(cap: Capability): MessageTarget | undefined {
    const { resolved } = cap
    if ((resolved instanceof PinnedImport || resolved instanceof PinnedPipeline) && resolved.host === this.#host) {
      return resolved.target
    }
    if (resolved instanceof ImportCapability && resolved.host === this.#host) {
      return { kind: 'importedCap', id: resolved.id, transform: noPath }
    }
    if (resolved instanceof PipelineCapability) {
      const { source } = resolved.answer
      if (source instanceof Question && source.host === this.#host && source.canPipeline) {
        return { kind: 'promisedAnswer', id: source.id, transform: resolved.path }
      }
    }
    return undefined
  }
}

/** Of a payload without capabilities, as it lies. */
function wireOf(payload: Payload): WirePayload {
  if (!payload.hasTail) return { content: payload.content, capTable: noCaps }
  const [content, ...more] = payload.pieces as [Uint8Array, ...Uint8Array[]]
  return { content, more, onSent: payload.onSent, capTable: noCaps }
}

const noCaps: readonly CapDescriptor[] = Object.freeze([])
const noneHeld: readonly Capability[] = Object.freeze([])
