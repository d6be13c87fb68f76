/**
 * One generation of the server: `server.ts GENERATION ADDRESS CONTROL [PREDECESSOR] [--forget]`
 *
 * The first one listens at ADDRESS; each later one asks its predecessor, at that one's control socket, for everything. It
 * ends by itself once it has handed over, when nothing is left that would keep it alive: there is no process.exit here.
 */
import { readdirSync, readlinkSync } from 'node:fs'
import type { Descriptor } from 'pillion'
import { dial, type RpcStub, RpcTarget, serve } from 'pillion/rpc'
import type { ConnectionState, HandedOver, Predecessor, Report, Successor } from './handover.js'
import { Service } from './service.js'

const [generation = '1', address = '', control = '', predecessor, sabotage] = process.argv.slice(2)
const before = openSockets()
const service = new Service(Number(generation))

class Heir extends RpcTarget implements Successor {
  listen(listening: Descriptor): Promise<void> {
    return service.listen(listening)
  }

  adopt(connection: Descriptor, state: ConnectionState): void {
    service.adopt(connection, sabotage === '--forget' ? { ...state, served: 0 } : state)
  }
}

class Control extends RpcTarget implements Predecessor {
  async handOver(successor: RpcStub<Successor>): Promise<HandedOver> {
    const handedOver = await service.handOver(successor)
    controlServer.once('ended', () => void end()) // the successor has what it asked for, and hangs up
    return handedOver
  }
}

const controlServer = await serve(control, new Control())
process.once('SIGTERM', () => void service.close().then(end))
if (predecessor === undefined) {
  await service.listen(address)
  tell({ report: 'ready' })
} else {
  using old = await dial<Predecessor>(predecessor)
  tell({ report: 'ready', handedOver: await old.handOver(new Heir()) })
}

/** Nothing is served any more: the process ends as soon as nothing keeps it alive. */
async function end(): Promise<void> {
  await controlServer.close()
  process.once('beforeExit', () => {
    tell({ report: 'ended', leaked: openSockets().filter((socket) => !before.includes(socket)) })
  })
}

function tell(report: Report): void {
  process.send?.(report)
}

function openSockets(): string[] {
  const links = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return '' // the one by which they were listed
    }
  })
  return links.filter((link) => link.startsWith('socket:'))
}
