/**
 * What 0.0.16 has its answers lack: capabilities that are there, and the calls that came for them before they were.
 */
import { type Client, type Conn, clientOrNull, Interface, Message, type Struct } from 'capnp-es'
import { capsOf } from './attached.js'
import { callOn } from './later-answer.js'
import { sendingOn } from './promised.js'

type Answer = NonNullable<ReturnType<Conn['insertAnswer']>>
type Queue = Client & { _client: Client | undefined; flushQueue(): void }

/** How a pointer begins that is a capability's. */
const interfacePointer = 3

/**
 * Results that another peer has sent may be such that they cannot be copied. The library has the answer for done by then, and
 * would tell nobody but the process, by an unhandled rejection: the answer is that error.
 */
export function mend(answer: Answer): void {
  const { fulfill } = answer
  answer.fulfill = (results: Struct) => {
    try {
      fulfill.call(answer, results)
    } catch (error) {
      answer.done = false
      answer.reject(error as Error)
      return
    }
    sendingOn(answer, () => sendQueuedOn(results))
  }
}

/** The library answers with a null pointer, of which a second call by capnp-es or a first one by others makes an error. */
export function answerBootstrap(answer: Answer, main: Client): void {
  const results = new Message()
  const pointer = new Interface(results.getSegment(0), 0)
  pointer.segment.setUint32(pointer.byteOffset, interfacePointer)
  pointer.segment.setUint32(pointer.byteOffset + 4, results.addCap(main))
  answer.fulfill(pointer)
}

/**
 * Calls that came for a capability in the results wait there, and the library sends none of them on. Nor does what they wait
 * in take a further one: it counts as full from the beginning. Another peer's results may have less capabilities than they say,
 * and a call params that cannot be copied: it throws, and the calls behind it would wait for ever.
 */
function sendQueuedOn(results: Struct): void {
  const caps = capsOf(results.segment.message)
  for (const [i, client] of caps.entries()) {
    if (!isQueue(client)) continue
    const target = client._client ?? null
    client._client = { call: (call) => callOn(() => clientOrNull(target), call), close: () => {} }
    client.flushQueue()
    caps[i] = target
  }
}

/** Undefined: where the library has made the table longer, to put a queue behind its end. */
function isQueue(client: Client | null | undefined): client is Queue {
  return client !== null && client !== undefined && 'flushQueue' in client && '_client' in client
}
