/**
 * Whether a library is one whose connections are known here: methods of theirs are replaced that it calls private, or that
 * another version may not have.
 */
import { UsageError } from '../../errors.js'

/**
 * Throws UsageError where one is missing.
 * @param versions of the library, that are known to have them
 */
export function checkParts(library: string, versions: string, conn: object, methods: readonly string[]): void {
  for (const name of methods) {
    if (typeof Reflect.get(conn, name) === 'function') continue
    throw new UsageError(`this version of ${library} has no Conn.${name}: ${versions} is supported`)
  }
}
