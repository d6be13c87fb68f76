/** A table of a page whose row has a cell too many or too few is shown wrongly: something was put into the wrong table. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => join('docs', name))
const pages = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', ...docs].filter((name) => name.endsWith('.md'))

test.each(pages)('every row of a table in %s has as many cells as its head', (page) => {
  const wrong: string[] = []
  let columns: number | undefined
  for (const [i, line] of readFileSync(resolve(root, page), 'utf8').split('\n').entries()) {
    const cells = line.startsWith('|') ? cellsOf(line) : undefined
    if (cells !== undefined && cells !== (columns ?? cells)) wrong.push(`${page}:${i + 1}: ${line}`)
    columns = cells === undefined ? undefined : (columns ?? cells)
  }
  expect(wrong).toEqual([])
})

function cellsOf(row: string): number {
  return row.replaceAll(/\\\||`[^`]*`/g, '').split('|').length - 2
}
