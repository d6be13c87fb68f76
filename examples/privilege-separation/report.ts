/**
 * What main prints: numbers as counted, in tables, and the verdict.
 */
import type { Confinement, Listing, Received, Sent, Settings } from './orders.js'
import type { Tally } from './tally.js'
import type { Comparison } from './tap.js'

export function describeStart(settings: Settings, listing: Listing, confinement: Confinement): string {
  const refused = confinement.attempts.filter(({ outcome }) => outcome !== 'opened')
  const codes = [...new Set(refused.map(({ outcome }) => outcome))].join(', ')
  return [
    `directory   ${settings.directory}`,
    `broker      may read it: ${amount(listing.files)} files, ${mebibytes(listing.bytes)}` +
      ` (${amount(listing.leftOut)} left out: over --files ${settings.files} or 192 MiB, or no regular files)`,
    `worker      uid ${confinement.uid}, under Node's permission model; it tried to open ` +
      `${confinement.attempts.length} paths: ${refused.length} refused (${codes})`,
    `seed        ${settings.seed}${settings.sabotage === undefined ? '' : `; sabotage: ${settings.sabotage}`}`,
  ].join('\n')
}

export function describeRun(sent: Sent, received: Received, leaked: readonly string[]): string {
  const rate = (count: number) => amount(count / received.seconds)
  return [
    table([
      ['frames', 'descriptors', 'misassigned', 'lost', 'leaked', 'frames/s', 'descriptors/s', 'MiB/s'],
      [
        ...[received.frames, received.descriptors, received.misassigned, received.lost, leaked.length].map(amount),
        ...[rate(received.frames), rate(received.descriptors)],
        (received.bytes / received.seconds / 2 ** 20).toFixed(1),
      ],
    ]),
    '',
    `The broker waited ${amount(sent.waits)} times for the worker, which stopped reading ${amount(received.pauses)} times;` +
      ' the rates have all that in them.',
    `The worker hashed ${amount(received.hashedFiles)} files, ${mebibytes(received.hashedBytes)}, through their descriptors;` +
      ` ${amount(sent.unopened)} could not be opened, ${amount(received.resized)} were written to meanwhile.`,
    `sha256 of the sorted lines of sha256sum: ${received.digest}`,
  ].join('\n')
}

export function describeComparison({ reads, truncatedSets, ours, others }: Comparison): string {
  const row = (name: string, tally: Tally) => [name, ...[tally.misassigned, tally.lost, tally.reported].map(amount)]
  return [
    `${amount(ours.frames)} frames in ${amount(reads)} reads, ${amount(truncatedSets)} sets of descriptors cut short by the kernel`,
    table([
      ['', 'misassigned', 'missing', 'said so'],
      row('pillion', ours),
      ...Object.entries(others).map(([name, tally]) => row(name, tally)),
    ]),
  ].join('\n')
}

/** Right-aligned columns, the first of words left-aligned. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((cell, i) => (rows[0]?.[i] === '' ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join('  '),
    )
    .join('\n')
}

function amount(count: number): string {
  return Math.round(count).toLocaleString('en-US')
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`
}
