/**
 * A bus of the test's own: Debian's dbus-daemon, with the limits of Debian's session bus.
 */
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../../support/streams.js'
import { python, sourceOf } from './peers.js'
import { type Program, startProgram, temporaryFolder } from './program.js'

export interface PrivateBus {
  readonly path: string
  readonly address: string
  readonly daemon: Program
}

const limits = {
  max_incoming_unix_fds: 250_000_000,
  max_outgoing_unix_fds: 250_000_000,
  max_replies_per_connection: 50_000,
}

export async function startBus(): Promise<PrivateBus> {
  const folder = temporaryFolder()
  const path = join(folder, 'bus')
  const config = join(folder, 'bus.conf')
  writeFileSync(
    config,
    `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=${path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
  ${Object.entries(limits)
    .map(([name, value]) => `<limit name="${name}">${value}</limit>`)
    .join('\n  ')}
</busconfig>
`,
  )
  const daemon = startProgram('dbus-daemon', [`--config-file=${config}`, '--nofork', '--print-address=2'], {
    output: 'stderr', // where it also warns that it cannot raise its own limit of descriptors: harmless
  })
  await daemon.lineLike(/^unix:/)
  return { path, address: `unix:path=${path}`, daemon }
}

export interface Service {
  readonly program: Program
  /** Descriptors that it has open before anybody calls. */
  readonly open: number
}

/** test/interop/peers/dbus_service.py, with its names on the bus. */
export async function startService(bus: PrivateBus): Promise<Service> {
  const program = startProgram(python, [sourceOf('dbus_service.py'), bus.address])
  const [, open] = (await program.lineLike(/^ready /)).split(' ')
  return { program, open: Number(open) }
}

export function openIn({ pid }: Program): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

/** How many descriptors more than `before` it still has open when it has settled: none at best. */
export async function leftOpenIn(program: Program, before: number): Promise<number> {
  await until(() => openIn(program) <= before).catch(() => {})
  return Math.max(0, openIn(program) - before)
}
