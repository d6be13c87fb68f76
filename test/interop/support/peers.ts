/**
 * The real peers: which are on this machine, and in which version.
 *
 * A test begins with `needsPeer`; what is missing makes a skip, which CI counts as a failure.
 */
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import type { TestContext } from 'vitest'

/** Debian's own: its modules are not those of another python3 on the PATH. */
export const python = '/usr/bin/python3'

/** Where a peer of test/interop/peers lies. */
export function sourceOf(name: string): string {
  return resolve(import.meta.dirname, '../peers', name)
}

/** What each peer answers with its version when asked. */
const installed = {
  'dbus-daemon': ['dbus-daemon', '--version'],
  'python3-dbus': [python, '-c', 'import dbus; print(dbus.__version__)'],
  'systemd-socket-activate': ['systemd-socket-activate', '--version'],
  python3: [python, '--version'],
  gccgo: ['gccgo-12', '--version'],
} as const satisfies Record<string, readonly [string, ...string[]]>

export type PeerName = keyof typeof installed

/** First thing in a test, as `needs`. */
export function needsPeer(context: Pick<TestContext, 'skip'>, ...names: readonly PeerName[]): void {
  const missing = names.filter((name) => ask(name) === undefined)
  if (missing.length > 0) context.skip(`skipped: needs ${missing.join(', ')}`)
}

/** The first number with dots in it that the peer says of itself. */
export function versionOf(name: PeerName): string {
  const answer = ask(name) ?? ''
  return /\d+(?:\.\d+)+/.exec(answer)?.[0] ?? /\d+/.exec(answer)?.[0] ?? 'unknown'
}

const answers = new Map<PeerName, string | undefined>()

function ask(name: PeerName): string | undefined {
  if (!answers.has(name)) {
    const [command, ...args] = installed[name]
    const { status, stdout } = spawnSync(command, args, { encoding: 'utf8' })
    answers.set(name, status === 0 ? stdout : undefined)
  }
  return answers.get(name)
}
