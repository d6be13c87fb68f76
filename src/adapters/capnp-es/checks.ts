/**
 * What is looked at in a message before the library gets it: the lists that it goes through whole.
 */
import { CapDescriptor, MessageTarget, type Payload } from 'capnp-es/capnp/rpc'
import { checkCapabilities, checkSteps } from '../capnp/list-lengths.js'

/** Throws for params or results with a list that cannot be. */
export function checkPayload({ capTable }: Payload): void {
  checkCapabilities(capTable.length)
  for (const entry of capTable) {
    if (entry.which() === CapDescriptor.RECEIVER_ANSWER) checkSteps(entry.receiverAnswer.transform.length)
  }
}

/** Throws for a call to what is further in an answer than can be. */
export function checkTarget(target: MessageTarget): void {
  if (target.which() === MessageTarget.PROMISED_ANSWER) checkSteps(target.promisedAnswer.transform.length)
}
