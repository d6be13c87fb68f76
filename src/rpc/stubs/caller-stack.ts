/**
 * Where a call that was rejected was awaited: frames of the caller for the stack of an error that came by the session, which
 * would show only how it was received.
 *
 * Nothing is taken down when a call is made. V8 knows which async functions wait for the promise whose reaction is running:
 * so the error is thrown in one, behind the awaited promise. That needs no knowledge of the call.
 */
import { TimeoutError } from '../../errors.js'
import { RpcError } from '../rpc-error.js'

/**
 * What to resolve a call's promise with, for it to be rejected with the error, whose stack then ends with those who await it.
 * A few microtasks later than by rejecting it.
 */
export function rejectedAtCaller(error: Error): PromiseLike<never> | undefined {
  if (!isOfOneCall(error)) return undefined
  // By then the awaited promise has told this one that it waits for it: it does so in a microtask.
  const isAwaited = Promise.resolve().then(nothing)
  return isAwaited.then(function reject(): never {
    addFrames(error, reject)
    throw error
  })
}

/** Errors of other origins are the same object for many calls, or show their place by themselves. */
function isOfOneCall(error: Error): boolean {
  if (error instanceof TimeoutError) return true
  return error instanceof RpcError && error.origin === 'remote' && error.type !== 'disconnected'
}

function addFrames(error: Error, below: () => never): void {
  const here: { stack?: unknown } = {}
  Error.captureStackTrace(here, below)
  const { stack } = here // what Error.prepareStackTrace makes of it, if somebody has set that
  if (typeof stack !== 'string' || typeof error.stack !== 'string' || told.has(error)) return
  told.add(error)
  const frames = stack.split('\n').filter((line) => line.startsWith('    at ') && !line.includes('node:internal'))
  if (frames.length > 0) error.stack = [error.stack, ...frames].join('\n')
}

/** Errors whose stacks have their callers already. */
const told = new WeakSet<Error>()

function nothing(): void {}
