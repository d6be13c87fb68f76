/**
 * What FrameConn replaces of the library's connection, or calls, though it is the library's own business: so of one version alone.
 */
import { Conn } from 'capnp-es'
import { checkParts } from '../capnp/library-parts.js'

/** Throws UsageError where a part is missing: that is another version of the library. */
export function checkConn(): void {
  checkParts('capnp-es', '0.0.16', Conn.prototype, methods)
}

const methods = [
  'addExport',
  'addImport',
  'descriptorForClient',
  'findQuestion',
  'handleBootstrapMessage',
  'handleCallMessage',
  'handleMessage',
  'handleReturnMessage',
  'insertAnswer',
  'newQuestion',
  'popQuestion',
  'populateMessageCapTable',
  'sendMessage',
  'sendReturnException',
  'shutdown',
  'startWork',
] as const satisfies readonly (keyof Conn)[]
