/**
 * RpcTarget: the base of classes whose instances are called from the other side instead of being copied to it.
 */

/**
 * Methods and accessors of a subclass can be used by whoever holds a stub of an instance; its own properties cannot, nor
 * `#private` members, `constructor`, nor anything that Object or RpcTarget has. TypeScript's `private` hides nothing at
 * run time.
 *
 * `[Symbol.dispose]`, if there is one, is called when the last stub of the instance is gone, wherever it was.
 */
export abstract class RpcTarget {
  /** Of the types alone: without it every object would be one. */
  declare readonly [rpcTarget]: never
}

declare const rpcTarget: unique symbol
