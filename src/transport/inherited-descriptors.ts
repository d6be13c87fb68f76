/**
 * The descriptors that a service manager passed to this process: socket activation and the descriptor store of systemd
 * (sd_listen_fds(3)), or whoever else speaks its environment variables.
 *
 * Knows nothing of what they are: a listening socket goes to `listen`, a connected one to `adopt`.
 */
import { UsageError } from '../errors.js'
import { Descriptor } from './descriptor.js'
import { binding } from './native.js'
import { workerThreads } from './node-modules.js'
import { succeeded } from './system-failure.js'

export interface InheritedDescriptor {
  /** From the unit's FileDescriptorName=, or FDNAME= of one that was stored; 'unknown' where nobody named it. */
  readonly name: string
  /** The caller's to close. */
  readonly descriptor: Descriptor
}

const firstPassed = 3
/** Those of libsystemd, and LISTEN_PIDFDID of its newer versions. */
const variables = ['LISTEN_PID', 'LISTEN_PIDFDID', 'LISTEN_FDS', 'LISTEN_FDNAMES'] as const

/**
 * Takes over what LISTEN_FDS says was passed, in its order: several may have the same name. They are closed on exec from
 * then on, and the variables are removed from the environment, so that no child takes them for its own; called again, it
 * finds none.
 *
 * None when nothing was passed, or when LISTEN_PID names another process: a shell or a wrapper was started, not this
 * process, and did not exec it.
 *
 * Throws UsageError when the variables contradict themselves or in a worker thread, SystemError when a descriptor is not
 * open. Then nothing has been taken over, and the environment is as it was.
 */
export function inheritedDescriptors(): InheritedDescriptor[] {
  // A worker has a copy of the environment, and would close what the main thread owns.
  if (!workerThreads().isMainThread) throw new UsageError('inherited descriptors are the main thread’s to take over')
  const passed = passedToThisProcess()
  const owned: InheritedDescriptor[] = []
  try {
    for (let i = 0; i < passed.count; i++) {
      owned.push({ name: passed.names?.[i] ?? 'unknown', descriptor: ownInherited(firstPassed + i) })
    }
  } catch (error) {
    for (const { descriptor } of owned) descriptor.take()
    throw error
  }
  for (const variable of variables) delete process.env[variable]
  return owned
}

interface Passed {
  readonly count: number
  readonly names?: readonly string[]
}

function passedToThisProcess(): Passed {
  const { LISTEN_PID: pid, LISTEN_FDS: fds, LISTEN_FDNAMES: fdNames } = process.env
  if (pid === undefined || fds === undefined) return { count: 0 }
  if (integerOf('LISTEN_PID', pid) !== process.pid) return { count: 0 }
  const count = integerOf('LISTEN_FDS', fds)
  if (fdNames === undefined) return { count }
  // No descriptors have no names, but splitting finds one, which is empty.
  const names = count === 0 && fdNames === '' ? [] : fdNames.split(':')
  if (names.length === count) return { count, names }
  throw new UsageError(`LISTEN_FDNAMES has ${names.length} name(s) for the ${count} descriptor(s) of LISTEN_FDS`)
}

function integerOf(variable: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`${variable} is a number, not '${text}'`)
  return Number(text)
}

function ownInherited(fd: number): Descriptor {
  const descriptor = Descriptor.own(fd)
  const result = binding.setCloseOnExec(fd)
  if (result < 0) descriptor.take()
  succeeded(result, 'fcntl', `fd ${fd}`)
  return descriptor
}
