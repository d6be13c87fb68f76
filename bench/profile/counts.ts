/**
 * Counts: a process's system calls, page faults and switches, as the kernel's tracepoints count them.
 */

const calls = [
  ...['read', 'readv', 'recvfrom', 'recvmsg', 'recvmmsg'],
  ...['write', 'writev', 'sendto', 'sendmsg', 'sendmmsg'],
  ...['epoll_wait', 'epoll_pwait', 'epoll_ctl', 'poll', 'ppoll'],
  ...['close', 'close_range', 'dup', 'dup2', 'dup3', 'fcntl', 'ioctl', 'newfstat', 'newfstatat', 'prlimit64', 'getpid'],
  ...['mmap', 'munmap', 'mprotect', 'madvise', 'memfd_create', 'ftruncate', 'futex'],
]
const plain = ['task-clock', 'page-faults', 'context-switches']
const all = 'raw_syscalls:sys_enter'

export interface Counts {
  readonly nanoseconds: number
  readonly faults: number
  readonly switches: number
  /** By name; `others` is what has none here. */
  readonly calls: Readonly<Record<string, number>>
}

/** Of time alone, since a tracepoint takes some, too. */
export function timing(file: string): string[] {
  return ['stat', '-x', ',', '-o', file, '-e', plain.join(',')]
}

export function countingCalls(file: string): string[] {
  return ['stat', '-x', ',', '-o', file, '-e', [all, ...calls.map((call) => `syscalls:sys_enter_${call}`)].join(',')]
}

/** @param text what `perf stat` wrote; 0 for what was not counted */
export function countsOf(text: string): Counts {
  const found = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [value = '', , event = ''] = line.split(',')
    if (event !== '') found.set(event, Number(value))
  }
  const count = (event: string): number => found.get(event) ?? 0
  const named = calls.map((call) => [call, count(`syscalls:sys_enter_${call}`)] as const)
  const others = named.reduce((left, [, times]) => left - times, count(all))
  return {
    nanoseconds: count('task-clock') * 1e6,
    faults: count('page-faults'),
    switches: count('context-switches'),
    calls: Object.fromEntries([...named, ['others', others] as const].filter(([, times]) => times > 0)),
  }
}
