/**
 * The conformance checks: sample frames of a codec, sent and read in every way that a kernel allows, and in the ways that
 * a broken or hostile peer has. They know no test runner: a check is a name and a function that throws.
 */
import type { Codec } from '../codec.js'
import { connectionChecks } from './connection-checks.js'
import { faultChecks } from './fault-checks.js'
import { layoutChecks } from './layout-checks.js'
import { type SampleFrame, Subject } from './subject.js'

export type { SampleFrame } from './subject.js'

export interface ConformanceOptions {
  /** Of the receiving end, where it is not the same: of a server, say. */
  readonly receiver?: Codec | (() => Codec)
  /** As a stream's options. Default: what the codec says. */
  readonly maxPayload?: number
  readonly maxDescriptors?: number
}

export interface ConformanceCheck {
  /** A sentence of behaviour that goes on from the codec's name. */
  readonly name: string
  /** Throws an Error that says in which way of sending and reading the codec failed. */
  run(): void
}

/**
 * The checks of a codec with these samples, which should be small (a few hundred bytes together: splits are tried in
 * pairs) and have everything in them: no and several descriptors, empty payloads if there are any, every kind of header.
 * They are sent in this order, as one connection's. Give a codec that keeps state outside of its connections, as a
 * function: it is called for each.
 */
export function conformanceChecks(
  codec: Codec | (() => Codec),
  samples: readonly SampleFrame[],
  { receiver = codec, ...limits }: ConformanceOptions = {},
): ConformanceCheck[] {
  const subject = new Subject(asFactory(codec), asFactory(receiver), samples, limits)
  return [...connectionChecks(subject), ...layoutChecks(subject), ...faultChecks(subject)]
}

function asFactory(codec: Codec | (() => Codec)): () => Codec {
  return typeof codec === 'function' ? codec : () => codec
}
