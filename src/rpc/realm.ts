/**
 * The vats of this thread: where stubs, streams and maps meet the values that they travel in.
 */
import { runMap } from './machine/map-runner.js'
import { type PassingRules, Vat } from './machine/vat.js'
import { type RpcSettings, rpcSettings } from './options.js'
import { IterableFeed, iterableOf } from './streams/iterable.js'
import { ReadableFeed, readableOf } from './streams/readable.js'
import { Source } from './streams/source.js'
import { writableOf } from './streams/writable.js'
import { WritableTarget } from './streams/writable-target.js'
import { stubOf } from './stubs/proxy.js'

const rules: PassingRules = {
  incoming: (vat) => ({
    stub: (cap) => stubOf(cap, vat),
    readable: (cap) => readableOf(cap, vat),
    writable: (cap) => writableOf(cap, vat),
    iterable: (cap) => iterableOf(cap, vat),
  }),
  outgoing: (vat) => ({
    readableSource: (stream) => new Source(new ReadableFeed(stream), vat),
    writableTarget: (stream) => new WritableTarget(stream),
    iterableSource: (iterable) => new Source(new IterableFeed(iterable), vat),
  }),
  runMap: (vat) => (input, program, context) => runMap(vat, input, program, context),
}

export function vatOf({ limits, sendStacks, traceContext, windowBytes }: Omit<RpcSettings, 'keepAlive'>): Vat {
  return new Vat(
    {
      limits: { depth: limits.depth, count: limits.values },
      sendStacks,
      traceContext,
      waitingCalls: limits.waitingCalls,
      windowBytes,
    },
    rules,
  )
}

let ofThread: Vat | undefined

/** For stubs that are made apart from any session. */
export function defaultVat(): Vat {
  ofThread ??= vatOf(rpcSettings({}))
  return ofThread
}
