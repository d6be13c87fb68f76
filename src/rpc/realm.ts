/**
 * The vats of this thread: where stubs, streams and maps meet the values that they travel in.
 */
import { runMap } from './machine/map-runner.js'
import { type PassingRules, Vat } from './machine/vat.js'
import { defaultLimits, type RpcSettings } from './options.js'
import { IterableSource, iterableOf } from './streams/iterable.js'
import { ReadableSource, readableOf } from './streams/readable.js'
import { WritableTarget, writableOf } from './streams/writable.js'
import { stubOf } from './stubs/proxy.js'

const rules: PassingRules = {
  incoming: (vat) => ({
    stub: (cap) => stubOf(cap, vat),
    readable: (cap) => readableOf(stubOf(cap, vat)),
    writable: (cap) => writableOf(stubOf(cap, vat)),
    iterable: (cap) => iterableOf(stubOf(cap, vat)),
  }),
  outgoing: () => ({
    readableSource: (stream) => new ReadableSource(stream),
    writableSink: (stream) => new WritableTarget(stream),
    iterableSource: (iterable) => new IterableSource(iterable),
  }),
  runMap: (vat) => (input, program, context) => runMap(vat, input, program, context),
}

export function vatOf({ limits, sendStacks, traceContext }: Omit<RpcSettings, 'keepAlive'>): Vat {
  return new Vat(
    {
      limits: { depth: limits.depth, count: limits.values },
      sendStacks,
      traceContext,
      waitingCalls: limits.waitingCalls,
    },
    rules,
  )
}

let ofThread: Vat | undefined

/** For stubs that are made apart from any session. */
export function defaultVat(): Vat {
  ofThread ??= vatOf({ limits: defaultLimits, sendStacks: false, traceContext: undefined })
  return ofThread
}
