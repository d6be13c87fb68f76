/**
 * The trace context of an outgoing call: asked of the session's option, and checked before it is in a message.
 */
import { UsageError } from '../errors.js'
import type { TraceContext } from './machine/messages.js'

/** Of each of the two: W3C Trace Context asks for 512 of `tracestate`, and `traceparent` has 55. */
const longest = 8192

/** Throws what the option throws, and UsageError for what it must not give. */
export function currentTrace(option: (() => TraceContext | undefined) | undefined): TraceContext | undefined {
  const trace = option?.()
  if (trace === undefined) return undefined
  const { traceparent, tracestate } = trace
  if (!isHeader(traceparent) || (tracestate !== undefined && !isHeader(tracestate))) {
    throw new UsageError(`traceContext gives { traceparent, tracestate? }, strings of up to ${longest} characters`)
  }
  return trace
}

function isHeader(value: unknown): boolean {
  return typeof value === 'string' && value.length <= longest
}
