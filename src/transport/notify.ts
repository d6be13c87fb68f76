/**
 * Telling the service manager how this process is: systemd's notification protocol (sd_notify(3)), descriptors included.
 *
 * What the assignments mean is the manager's to know. The other way, from the manager, is inherited-descriptors.ts.
 */
import { checkOptions, checkSignal, listOf, shown } from '../arguments.js'
import { UsageError } from '../errors.js'
import { parseAddress } from './address.js'
import { checkNumber, Descriptor } from './descriptor.js'
import { binding } from './native.js'
import { Errno } from './system-calls.js'
import { succeeded } from './system-failure.js'
import { wait } from './wait.js'

/** Such as `{ READY: 1, STATUS: 'serving' }` or `{ FDSTORE: 1, FDNAME: 'state' }`. */
export type Notification = Readonly<Record<string, string | number>>

export interface NotifyOptions {
  /** Travel along: with FDSTORE=1 the manager keeps them, and passes them to the service when it starts it again. */
  readonly descriptors?: Iterable<Descriptor | number>
  /** Ends the wait for room in the manager's queue. */
  readonly signal?: AbortSignal
}

/** What one message takes (docs/kernel.md fact 6). */
const mostDescriptors = 253
const firstRetry = 1
const lastRetry = 100

/**
 * Sends one notification to $NOTIFY_SOCKET; false when there is none, so that nobody is told.
 *
 * True says that the manager has it in its queue, not that it agrees. The descriptors stay the caller's, who may close
 * them at once. Rejects with UsageError for what no manager could read, with SystemError (ECONNREFUSED, ENOENT: no
 * manager is there), PermissionError, or the signal's reason.
 */
export async function notify(notification: Notification, options: NotifyOptions = {}): Promise<boolean> {
  checkOptions(options)
  checkSignal(options.signal)
  const descriptors = listOf('descriptors', options.descriptors === undefined ? [] : options.descriptors)
  for (const descriptor of descriptors) if (!(descriptor instanceof Descriptor)) checkNumber(descriptor)
  const content = encode(notification)
  if (descriptors.length > mostDescriptors) {
    throw new UsageError(`a notification takes ${mostDescriptors} descriptors, not ${descriptors.length}`)
  }
  options.signal?.throwIfAborted()
  const socket = process.env.NOTIFY_SOCKET
  if (socket === undefined || socket === '') return false
  const address = managerAt(socket)

  const sent = binding.sendDatagram(address.bytes, content, descriptors.map(numberOf))
  if (sent !== Errno.EAGAIN) return succeeded(sent, 'sendmsg', address.text) === 0
  // From here on a number could come to be another file's while it waits (docs/kernel.md, Sending).
  const kept: Descriptor[] = []
  try {
    for (const descriptor of descriptors) kept.push(Descriptor.dup(descriptor))
    return await retry(address, content, kept, options.signal)
  } finally {
    for (const descriptor of kept) descriptor.close()
  }
}

type Manager = Extract<ReturnType<typeof parseAddress>, { readonly bytes: Uint8Array }>

async function retry(
  { bytes, text }: Manager,
  content: Uint8Array,
  descriptors: readonly Descriptor[],
  signal: AbortSignal | undefined,
): Promise<boolean> {
  for (let delay = firstRetry; ; delay = Math.min(delay * 2, lastRetry)) {
    await wait(delay, signal)
    const sent = binding.sendDatagram(bytes, content, descriptors.map(numberOf))
    if (sent !== Errno.EAGAIN) return succeeded(sent, 'sendmsg', text) === 0
  }
}

function numberOf(descriptor: Descriptor | number): number {
  return descriptor instanceof Descriptor ? descriptor.fd : descriptor
}

function managerAt(socket: string): Manager {
  if (!/^[/@]./.test(socket)) throw new UsageError(`NOTIFY_SOCKET is a path or '@name', not ${shown(socket)}`)
  return parseAddress(socket) as Manager
}

/** One assignment a line. */
function encode(notification: Notification): Uint8Array {
  if (typeof notification !== 'object' || notification === null) {
    throw new UsageError(`a notification is an object of assignments, not ${shown(notification)}`)
  }
  const lines = Object.entries(notification).map(([name, value]) => {
    if (typeof value !== 'string' && typeof value !== 'number') {
      throw new UsageError(`${shown(name)} is assigned a string or a number, not ${shown(value)}`)
    }
    const text = String(value)
    if (!/^[A-Z][A-Z0-9_]*$/.test(name)) throw new UsageError(`a notification has no variable ${shown(name)}`)
    if (/[\n\0]/.test(text)) throw new UsageError(`${name} is one line, not ${shown(text)}`)
    // The manager would drop such a name in silence, and call the descriptors `stored`.
    if (name === 'FDNAME' && !/^[\x20-\x39\x3b-\x7e]{1,255}$/.test(text)) {
      throw new UsageError(`FDNAME is 1 to 255 printable ASCII characters without ':', not ${shown(text)}`)
    }
    return `${name}=${text}`
  })
  if (lines.length === 0) throw new UsageError('a notification assigns something')
  return Buffer.from(lines.join('\n'))
}
