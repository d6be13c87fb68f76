/**
 * Delivery: by when calls that have come begin, and which of them never do.
 *
 * The library brings calls to their methods by a chain of promises, whole wake-ups of them at once, and would go on with
 * those whatever has happened to the connection.
 */
import { ClosedError } from '../../errors.js'
import { setImmediate } from '../../event-loop.js'

/** What a connection of capnp-ts 0.9 has for it. */
export interface Delivering {
  deliveryChain: Promise<unknown>
  close(): void
  dispatchCall(id: number, answer: { rejectPayload(error: Error): void }, ...call: unknown[]): void
}

export class Delivery {
  readonly #conn: Delivering
  /** No method begins any more. */
  #over = false

  /** From now on the connection's `close` ends it. */
  constructor(conn: Delivering) {
    this.#conn = conn
    const { close, dispatchCall } = conn
    conn.close = () => {
      this.#over = true
      close.call(conn)
    }
    conn.dispatchCall = (id, answer, ...call) => {
      if (this.#over) answer.rejectPayload(new ClosedError('the connection was closed'))
      else dispatchCall.call(conn, id, answer, ...call)
    }
  }

  /**
   * No message comes any more: calls back once calls that have come have begun, and whoever has just been given a result
   * has seen it. A call that waits for an answer still never begins: whoever would get what comes of it is gone. After
   * `close`, at once.
   */
  end(callback: () => void): void {
    if (this.#over) callback()
    else {
      setImmediate(() => {
        this.#over = true
        callback()
      })
    }
  }

  /** Where a call's target is found only later, what is wrong with it would be nobody's error. */
  watch(onError: (cause: unknown) => void): void {
    this.#conn.deliveryChain.catch(onError)
  }
}
