/**
 * The workloads: what the two ends do, on which cores, who takes part, and what is told of it. docs/performance.md explains
 * each.
 */
import type { Pattern } from '../roles/setting.js'
import type { View } from './cpus.js'

export interface Workload {
  readonly id: string
  readonly title: string
  readonly view: View
  readonly contenders: readonly string[]
  readonly metrics: readonly string[]
  readonly cases: readonly Case[]
  /** Measured in another way than by rounds of one case: `idle` is W7, `start` W9. */
  readonly way?: 'idle' | 'start'
}

export interface Case {
  /** Put behind the metric's name. */
  readonly at?: string
  readonly pattern: Pattern
  readonly payload?: number
  readonly descriptors?: number
  readonly connections?: number
  /** Undefined: all of the workload's. */
  readonly metrics?: readonly string[]
}

const KiB = 1024
const MiB = 1024 * KiB

const net = ['net-naive', 'net-corked', 'net-onread']
const c = ['c-epoll', 'c-blocking']
const child = ['child-json', 'child-advanced']
const consumers = ['pillion-event', 'pillion-for-await']
const callers = ['birpc', 'capnweb', 'vscode-jsonrpc', 'grpc-js', 'comlink']

const pingers = [...c, ...net, 'usocket', ...child, 'pillion', ...consumers]
const latency = ['p50', 'p99']
const ping = { pattern: 'ping', payload: 64 } as const

export const workloads: readonly Workload[] = [
  {
    id: 'W1same',
    title: 'ping-pong 64 B, both ends on one core',
    view: 'same',
    contenders: pingers,
    metrics: latency,
    cases: [ping],
  },
  {
    id: 'W1awake',
    title: 'ping-pong 64 B, two cores that never halt',
    view: 'awake',
    contenders: pingers,
    metrics: latency,
    cases: [ping],
  },
  {
    id: 'W1busy',
    title: 'ping-pong 64 B, two cores; busyPoll of 100 µs at both ends',
    view: 'cross',
    contenders: [...c, ...net, 'usocket', 'pillion', 'pillion-busy'],
    metrics: latency,
    cases: [ping],
  },
  {
    id: 'W2',
    title: 'one way, frames of 64 B',
    view: 'cross',
    contenders: pingers,
    metrics: ['frames'],
    cases: [{ pattern: 'flood', payload: 64 }],
  },
  {
    id: 'W3',
    title: 'one way, frames of 64 KiB',
    view: 'cross',
    contenders: [...c, ...net, 'pillion', ...consumers],
    metrics: ['bytes'],
    cases: [{ pattern: 'flood', payload: 64 * KiB }],
  },
  {
    id: 'W3m',
    title: 'one way, frames of 1 MiB, delivered contiguous',
    view: 'cross',
    contenders: [...c, ...net, 'net-into', 'pillion'],
    metrics: ['bytes'],
    cases: [{ pattern: 'flood', payload: MiB }],
  },
  {
    id: 'W3x',
    title: 'one way, frames of 64 MiB in a sealed memfd, mapped by the receiver',
    view: 'cross',
    contenders: ['pillion'],
    metrics: ['bytes'],
    cases: [{ pattern: 'flood', payload: 64 * MiB }],
  },
  {
    id: 'W4same',
    title: 'ping-pong 64 B with a descriptor each way, both ends on one core',
    view: 'same',
    contenders: [...c, 'usocket', 'child-handle', 'capnp-c++', 'pillion', ...consumers],
    metrics: latency,
    cases: [{ ...ping, descriptors: 1 }],
  },
  {
    id: 'W5',
    title: 'one way, frames of 64 B with 1 descriptor',
    view: 'cross',
    contenders: [...c, 'c-recvmmsg', 'usocket', 'usocket-window', 'child-handle', 'pillion', ...consumers],
    metrics: ['descriptors'],
    cases: [{ pattern: 'flood', payload: 64, descriptors: 1 }],
  },
  {
    id: 'W5x16',
    title: 'one way, frames of 64 B with 16 descriptors',
    view: 'cross',
    contenders: [...c, 'c-recvmmsg', 'usocket', 'usocket-window', 'pillion', ...consumers],
    metrics: ['descriptors'],
    cases: [{ pattern: 'flood', payload: 64, descriptors: 16 }],
  },
  {
    id: 'W6same',
    title: 'RPC: an echo of 64 B, one at a time, both ends on one core',
    view: 'same',
    contenders: ['capnp-c++', ...callers, 'pillion'],
    metrics: latency,
    cases: [{ pattern: 'echo' }],
  },
  {
    id: 'W6c',
    title: 'RPC: echoes of 64 B, 64 in flight, two cores',
    view: 'cross',
    contenders: ['capnp-c++', ...callers, 'pillion'],
    metrics: ['calls'],
    cases: [{ pattern: 'flight' }],
  },
  {
    id: 'W6psame',
    title: 'RPC: a chain of 8 pipelined calls, both ends on one core',
    view: 'same',
    contenders: ['capnp-c++', 'capnweb', 'pillion'],
    metrics: latency,
    cases: [{ pattern: 'chain' }],
  },
  {
    id: 'W7',
    title: 'ping-pong 64 B beside 10,000 idle connections, and what each of those takes',
    view: 'same',
    contenders: ['net-corked', 'net-onread', 'pillion'],
    metrics: ['p50 alone', 'p50 beside', 'resident server', 'resident client'],
    cases: [{ pattern: 'idle', payload: 64, connections: 10_000 }],
    way: 'idle',
  },
  {
    id: 'W8',
    title: 'growth: one way with frames of 16 B to 16 MiB; ping-pong on 1 to 10,000 live connections',
    view: 'cross',
    contenders: ['net-onread', 'pillion'],
    metrics: ['perFrame', 'perByte'],
    cases: [...sizes(), ...connections()],
  },
  {
    id: 'W9',
    title: 'cold start: from the import to the first frame, over a connection of the process with itself',
    view: 'cross',
    contenders: ['net-naive', 'pillion'],
    metrics: ['start'],
    cases: [{ pattern: 'start' }],
    way: 'start',
  },
]

/** `W3` is that one, if there is one of the name; `W1` all whose names begin so. */
export function workloadsNamed(names: readonly string[]): Workload[] {
  const chosen = names.flatMap((name) => {
    const exact = workloads.filter(({ id }) => id === name)
    const found = exact.length > 0 || name === '' ? exact : workloads.filter(({ id }) => id.startsWith(name))
    if (found.length === 0)
      throw new Error(`no workload ${name}; there are ${workloads.map(({ id }) => id).join(', ')}`)
    return found
  })
  return workloads.filter((workload) => chosen.includes(workload))
}

function sizes(): Case[] {
  const small = [16, 64, 256, 1 * KiB, 4 * KiB, 16 * KiB]
  const large = [64 * KiB, 256 * KiB, 1 * MiB, 4 * MiB, 16 * MiB]
  return [...small, ...large].map((payload) => ({ pattern: 'flood', payload, at: `at ${sizeName(payload)}` }))
}

function connections(): Case[] {
  return [1, 10, 100, 1000, 10_000].map((count) => ({
    pattern: 'fan',
    payload: 64,
    connections: count,
    at: `on ${count}`,
    metrics: ['perFrame'],
  }))
}

function sizeName(bytes: number): string {
  if (bytes >= MiB) return `${bytes / MiB} MiB`
  return bytes >= KiB ? `${bytes / KiB} KiB` : `${bytes} B`
}
