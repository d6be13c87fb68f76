/**
 * Profiles as a table: what was found, what an operation takes of each end, to whom that time belongs, and the system calls it makes.
 */
import { layers } from '../profile/layers.js'
import type { Profile } from '../profile/profile-workload.js'
import { markdown, number } from './table.js'

/** Fewer of so many operations say nothing. */
const rarest = 0.005

export function profileTable(profiles: readonly Profile[]): string {
  // Where calls are shared by many operations, they are counted for a thousand.
  const many = profiles.every(({ calls }) => Object.values(calls).reduce((sum, times) => sum + times, 0) < 0.5)
    ? 1000
    : 1
  const counted = many === 1 ? '' : ' of 1,000'
  const head = ['contender', 'end', 'found', 'time', ...layers, `faults${counted}`, `switches${counted}`]
  const body = profiles.map((profile) => [
    profile.contender,
    profile.end,
    number(profile.value),
    duration(profile.nanoseconds),
    ...layers.map((layer) => `${Math.round(profile.shares.layers[layer] * 100)} %`),
    few(profile.faults * many),
    few(profile.switches * many),
    callList(profile.calls, many),
  ])
  return markdown([[...head, `system calls${counted}`], ...body], `llrr${'r'.repeat(layers.length)}rrl`)
}

function callList(calls: Profile['calls'], many: number): string {
  return Object.entries(calls)
    .map(([call, times]) => [call, times * many] as const)
    .filter(([, times]) => times >= rarest * (many === 1 ? 1 : 10))
    .sort(([, a], [, b]) => b - a)
    .map(([call, times]) => `${few(times)} ${call}`)
    .join(', ')
}

function few(times: number): string {
  if (times < rarest) return '0'
  return times >= 10 ? times.toFixed(0) : times >= 1 ? times.toFixed(1) : times.toFixed(2)
}

function duration(nanoseconds: number): string {
  if (nanoseconds < 1000) return `${nanoseconds.toPrecision(3)} ns`
  return nanoseconds < 1e6 ? `${(nanoseconds / 1000).toPrecision(3)} µs` : `${(nanoseconds / 1e6).toPrecision(3)} ms`
}
