/**
 * Layers: to whom a process's time belongs, by samples of its CPU clock.
 */
import { perfReport } from './perf.js'

export const layers = ['kernel', 'libc', 'Node, V8', 'collector', 'JavaScript', 'native'] as const
export type Layer = (typeof layers)[number]

export interface Shares {
  /** Parts of 1. */
  readonly layers: Readonly<Record<Layer, number>>
  /** The symbols with most, as they are named; parts of 1. */
  readonly most: readonly (readonly [symbol: string, share: number])[]
}

export function sampling(file: string): string[] {
  return ['record', '-e', 'cpu-clock', '-F', '1999', '-o', file]
}

/** @param file what `perf record` wrote */
export async function sharesIn(file: string): Promise<Shares> {
  return sharesOf(await perfReport(file, '--no-children', '-g', 'none', '-t', '|', '-F', 'overhead,dso,sym'))
}

/** @param text what `perf report` says: a share, an object and a symbol a line */
export function sharesOf(text: string): Shares {
  const found = Object.fromEntries(layers.map((layer) => [layer, 0])) as Record<Layer, number>
  const most: [string, number][] = []
  for (const line of text.split('\n')) {
    const [percent = '', dso = '', symbol = ''] = line.split('|').map((cell) => cell.trim())
    if (!percent.endsWith('%')) continue
    const share = Number.parseFloat(percent) / 100
    found[layerOf(dso, symbol)] += share
    most.push([symbol.replace(/^\[.\] /, ''), share])
  }
  return { layers: found, most: most.sort(([, a], [, b]) => b - a).slice(0, 8) }
}

function layerOf(dso: string, symbol: string): Layer {
  if (symbol.startsWith('[k]')) return 'kernel'
  if (dso.startsWith('[JIT]') || dso === '[anon]' || dso === '[unknown]') return 'JavaScript'
  if (dso === 'node') {
    if (symbol.includes('Builtins_')) return 'JavaScript'
    return /Scaveng|Mark(ing|er|Compact)|Sweep|Evacuat|GCTracer|::Heap::/.test(symbol) ? 'collector' : 'Node, V8'
  }
  return /^(libc\.|libm\.|libpthread|libstdc|ld-linux|\[vdso\])/.test(dso) ? 'libc' : 'native'
}
