/**
 * Rows: what a run has found, a line a metric, with what it was found on.
 */
import { execFileSync } from 'node:child_process'
import { cpus, release } from 'node:os'

export interface Row {
  readonly workload: string
  readonly contender: string
  readonly metric: string
  readonly unit: string
  /** null: there is no number, and `failed` says why. */
  readonly median: number | null
  readonly min: number | null
  readonly max: number | null
  readonly rounds: number
  /** Not installed, or it lost something: never one that is beaten. */
  readonly failed?: string
  readonly machine: string
  readonly kernel: string
  readonly node: string
}

const units: Readonly<Record<string, string>> = {
  p50: 'µs',
  p99: 'µs',
  frames: 'frames/s',
  bytes: 'B/s',
  descriptors: 'descriptors/s',
  calls: 'calls/s',
  perFrame: 'ns/frame',
  perByte: 'ns/B',
  resident: 'B/connection',
  start: 'ms',
}

const place = { machine: machineName(), kernel: `Linux ${release()}`, node: process.version }

/** @param metric a name of `units`, perhaps with what it was measured at behind it: `perFrame at 64 B` */
export function rowOf(workload: string, contender: string, metric: string, values: readonly number[]): Row {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const median =
    sorted.length % 2 === 1
      ? (sorted[middle] as number)
      : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
  return {
    workload,
    contender,
    metric,
    unit: unitOf(metric),
    median,
    min: sorted[0] as number,
    max: sorted.at(-1) as number,
    rounds: sorted.length,
    ...place,
  }
}

export function failedRow(workload: string, contender: string, metric: string, failed: string): Row {
  const nothing = { median: null, min: null, max: null, rounds: 0 }
  return { workload, contender, metric, unit: unitOf(metric), ...nothing, failed, ...place }
}

/** Less of it is better. */
export function isCost(metric: string): boolean {
  return !['frames', 'bytes', 'descriptors', 'calls'].includes(nameOf(metric))
}

function unitOf(metric: string): string {
  return units[nameOf(metric)] ?? ''
}

function nameOf(metric: string): string {
  return metric.split(' ')[0] as string
}

function machineName(): string {
  const { model = 'unknown' } = cpus()[0] ?? {}
  const virtual = isVirtual() ? ', virtual' : ''
  return `${cpus().length} × ${model.trim()}${virtual}`
}

function isVirtual(): boolean {
  try {
    return /hypervisor/.test(execFileSync('grep', ['-m1', 'flags', '/proc/cpuinfo'], { encoding: 'utf8' }))
  } catch {
    return false
  }
}
