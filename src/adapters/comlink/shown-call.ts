/**
 * ShownCall: a call as comlink is shown it, and whether it is anybody's. What listens may be `wrap`, which looks for the ids of
 * answers alone; `expose` looks at the arguments, whatever kind of call it is.
 */
import type { Message } from './messages.js'
import { Path } from './path.js'

export class ShownCall {
  [name: string]: unknown
  #argumentList: unknown
  #wanted = false

  constructor(message: Message) {
    Object.assign(this, message, { path: Path.from((message.path ?? []) as string[]) })
  }

  static isWanted(call: ShownCall): boolean {
    return call.#wanted
  }

  get argumentList(): unknown {
    this.#wanted = true
    return this.#argumentList
  }

  set argumentList(values: unknown) {
    this.#argumentList = values
  }
}
