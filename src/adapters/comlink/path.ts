/**
 * Path: the names by which a call of the peer's leads from what is exposed to what is meant, as comlink walks along them.
 */
import { RpcError } from '../../rpc/index.js'

/** comlink walks by `reduce`: along the whole path, and along all of it but the last name. */
export class Path extends Array<string> {
  /**
   * Throws RpcError for a name behind a function that is inherited, as `call` is by every function and `trim` by every text:
   * what were set there would be set for the whole process.
   */
  // biome-ignore lint/suspicious/noExplicitAny: Array's has overloads, and comlink's objects are of any kind
  override reduce(step: (at: any, name: string, ...rest: any[]) => any, exposed?: any): any {
    let shared: string | undefined
    return super.reduce<unknown>((at, name) => {
      if (shared !== undefined) {
        throw new RpcError('failed', `nothing behind ${shared} can be reached from another process`, {
          origin: 'remote',
        })
      }
      const found = step(at, name)
      if (typeof found === 'function' && !Object.hasOwn(Object(at), name)) shared = name
      return found
    }, exposed)
  }
}
