/**
 * What becomes of descriptors that a message came with and nobody wants, and of a message that some did not arrive with.
 */
import { DescriptorLostError } from '../../errors.js'
import { RpcError } from '../../rpc/index.js'
import type { Descriptor } from '../../stream/index.js'

export function closeAll(descriptors: readonly Descriptor[]): void {
  for (const descriptor of descriptors) descriptor.close()
}

export function lostOnTheWay(): DescriptorLostError {
  return new DescriptorLostError("a descriptor of the message was lost on the way: the receiver's table was full")
}

/** Of an answer whose descriptors nobody could close: it ends the stream. */
export function seenByNobody(): RpcError {
  return new RpcError('failed', 'an answer has a descriptor where nobody sees it', { origin: 'remote' })
}

/**
 * Whether somebody wants an answer, where the library drops that of a call which it has given up and says so to nobody:
 * if it settles the call's promise, the language asks what that is settled with for `then` at once.
 *
 * @param answer is given a `then` that says so, and is then what the promise is settled with
 * @param then what the language finds there; undefined: nothing
 */
export function settles<Answer extends object>(
  answer: Answer,
  then: ((resolve: (value: unknown) => void, reject: (error: unknown) => void) => void) | undefined,
  tell: (answer: Answer) => void,
): boolean {
  let wanted = false
  const get = () => {
    wanted = true
    return then
  }
  tell(Object.defineProperty(answer, 'then', { get }))
  return wanted
}
