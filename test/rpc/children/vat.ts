/**
 * Serves a vat of the conformance tests over the socket that is its descriptor 3. What it does some time, it does in a turn
 * of the event loop to come.
 */
import { setImmediate } from 'node:timers/promises'
import { RpcSession } from '../../../src/rpc/index.js'
import { adopt } from '../../../src/stream/index.js'
import { ForwardingVat } from '../support/vats.js'

const vat = new ForwardingVat({ turn: () => setImmediate(), watch: (target) => target }, 'child')
const session = new RpcSession<ForwardingVat>(adopt(3), vat)
const other = session.getRemoteMain()
vat.other = other
await session.closed
