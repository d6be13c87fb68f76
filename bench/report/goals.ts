/**
 * The goals: how pillion's numbers have to stand to those of others in the same run. Data; verdicts.ts works them out.
 */

export interface Goal {
  readonly workload: string
  readonly contender: string
  readonly metric: string
  /** The number is at most, or at least, so many times the reference's. */
  readonly at: 'most' | 'least'
  readonly times: number
  /** The reference: the best of these. */
  readonly of: readonly string[]
  readonly ofName?: string
  /** Where the reference was measured, if elsewhere. */
  readonly ofWorkload?: string
  readonly ofMetric?: string
  /** Allowed on top, in the metric's unit. */
  readonly plus?: number
  /** Equal is not enough. */
  readonly strict?: boolean
}

/** From each step to the next, a cost grows at most so many times. */
export interface StepGoal {
  readonly workload: string
  readonly contender: string
  readonly metric: string
  readonly steps: readonly string[]
  readonly times: number
}

const net = { of: ['net-naive', 'net-corked', 'net-onread'], ofName: "node:net's best" }
const c = { of: ['c-epoll', 'c-blocking', 'c-recvmmsg'], ofName: "C's best" }
const cEpoll = { of: ['c-epoll'] }
const onread = { of: ['net-onread'] }
const corked = { of: ['net-corked'] }
const usocket = { of: ['usocket', 'usocket-window'], ofName: 'usocket' }
const child = { of: ['child-handle'] }
const capnp = { of: ['capnp-c++'] }
const capnweb = { of: ['capnweb'] }
const callers = {
  of: ['birpc', 'capnweb', 'vscode-jsonrpc', 'grpc-js', 'comlink'],
  ofName: 'the fastest JavaScript peer',
}

type Subject = Pick<Goal, 'workload' | 'contender' | 'metric'>
type Reference = Pick<Goal, 'of' | 'ofName' | 'ofWorkload' | 'ofMetric' | 'plus' | 'strict'>

function most(subject: Subject, times: number, reference: Reference): Goal {
  return { ...subject, at: 'most', times, ...reference }
}

function least(subject: Subject, times: number, reference: Reference): Goal {
  return { ...subject, at: 'least', times, ...reference }
}

function of(workload: string, metric: string, contender = 'pillion'): Subject {
  return { workload, contender, metric }
}

export const goals: readonly Goal[] = [
  most(of('W1same', 'p50'), 0.75, net),
  most(of('W1same', 'p50'), 1.7, cEpoll),
  most(of('W1awake', 'p50'), 0.92, net),
  most(of('W1awake', 'p50'), 1.08, c),
  most(of('W1busy', 'p50', 'pillion-busy'), 0.35, net),
  most(of('W1busy', 'p50', 'pillion-busy'), 0.4, cEpoll),
  least(of('W2', 'frames'), 5, corked),
  least(of('W2', 'frames'), 1, onread),
  least(of('W2', 'frames', 'pillion-event'), 2.5, corked),
  least(of('W2', 'frames', 'pillion-for-await'), 1.5, corked),
  least(of('W3', 'bytes'), 1.2, onread),
  least(of('W3', 'bytes'), 0.85, c),
  least(of('W3m', 'bytes'), 1.9, onread),
  least(of('W3m', 'bytes'), 0.9, c),
  least(of('W3x', 'bytes'), 3, { of: ['pillion'], ofWorkload: 'W3m', ofName: 'W3m' }),
  most(of('W4same', 'p50'), 2.2, c),
  most(of('W4same', 'p50'), 0.8, usocket),
  most(of('W4same', 'p50'), 0.4, capnp),
  most(of('W4same', 'p50'), 0.4, child),
  least(of('W5', 'descriptors'), 0.6, c),
  least(of('W5', 'descriptors'), 2, usocket),
  least(of('W5', 'descriptors'), 30, child),
  least(of('W5x16', 'descriptors'), 0.6, c),
  least(of('W5x16', 'descriptors'), 2, usocket),
  least(of('W5x16', 'descriptors'), 30, { ...child, ofWorkload: 'W5' }),
  most(of('W6same', 'p50'), 0.8, callers),
  most(of('W6same', 'p50'), 0.65, capnp),
  least(of('W6c', 'calls'), 2.5, callers),
  least(of('W6c', 'calls'), 5, capnweb),
  least(of('W6c', 'calls'), 3, capnp),
  most(of('W6psame', 'p50'), 0.4, capnweb),
  most(of('W6psame', 'p50'), 0.3, capnp),
  most(of('W7', 'p50 beside'), 1.1, { of: ['pillion'], ofMetric: 'p50 alone', ofName: 'alone' }),
  most(of('W7', 'resident server'), 1, { ...net, strict: true }),
  most(of('W7', 'resident client'), 1, { ...net, strict: true }),
  most(of('W9', 'start'), 1, { of: ['net-naive'], plus: 10 }),
]

const perSmallFrame = ['perFrame at 16 B', 'perFrame at 64 B', 'perFrame at 256 B', 'perFrame at 1 KiB']
const perMiddleFrame = ['1 KiB', '4 KiB', '16 KiB', '64 KiB'].map((size) => `perByte at ${size}`)
const perByte = ['64 KiB', '256 KiB', '1 MiB', '4 MiB', '16 MiB'].map((size) => `perByte at ${size}`)
const perConnection = [1, 10, 100, 1000, 10_000].map((count) => `perFrame on ${count}`)

export const stepGoals: readonly StepGoal[] = [
  { workload: 'W8', contender: 'pillion', metric: 'ns a frame up to 1 KiB', steps: perSmallFrame, times: 1.5 },
  { workload: 'W8', contender: 'pillion', metric: 'ns a byte, 1 to 64 KiB', steps: perMiddleFrame, times: 1.5 },
  { workload: 'W8', contender: 'pillion', metric: 'ns a byte above 64 KiB', steps: perByte, times: 1.5 },
  {
    workload: 'W8',
    contender: 'pillion',
    metric: 'ns a frame, 1 to 10,000 connections',
    steps: perConnection,
    times: 1.5,
  },
]
