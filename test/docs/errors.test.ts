/** docs/errors.md has every error class with its code, origins and fields, and nothing that is not in src. */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import * as errors from '../../src/errors.js'
import { RpcError } from '../../src/rpc/index.js'

const root = new URL('../../', import.meta.url)
const page = readFileSync(new URL('docs/errors.md', root), 'utf8')
const source = ['errors.ts', 'rpc/rpc-error.ts']
  .map((file) => readFileSync(new URL(`src/${file}`, root), 'utf8'))
  .join('\n')
const classes = Object.keys({ ...errors, RpcError }).map((name) => ({
  name,
  source: sourceOf(name),
  section: sectionOf(name),
}))

it('looks at all classes', () => {
  expect(classes.length).toBeGreaterThanOrEqual(10)
  expect(classes.map(({ source }) => source.length > 0)).not.toContain(false)
})

describe.each(classes)('$name', ({ source, section }) => {
  it('has a section with its code', () => {
    const code = /readonly code = '(\w+)'/.exec(source)?.[1] ?? 'code'
    expect(section).toContain(`\`${code}\``)
  })

  it('has its origins there', () => {
    const fixed = /readonly origin = '(\w+)'/.exec(source)?.[1]
    const given = source.includes('origin: ErrorOrigin = ') ? ['local', 'remote'] : []
    for (const origin of fixed === undefined ? given : [fixed]) {
      expect(section).toMatch(new RegExp(`[oO]rigin \`${origin}\``))
    }
  })

  it('has its fields there', () => {
    const fields = [...source.matchAll(/^ {2}(?:abstract )?readonly (\w+)/gm)].map(([, field]) => field)
    expect(fields).toContain('code')
    // The code stands there as what it is, and origins as whose fault it may be.
    for (const field of fields) if (field !== 'code' && field !== 'origin') expect(section).toContain(`\`${field}\``)
  })
})

it('has no section for a class that is not there', () => {
  const described = [...page.matchAll(/^## (\w+Error)$/gm)].map(([, name]) => name)
  expect(described.sort()).toEqual(classes.map(({ name }) => name).sort())
})

it('has no code that is not there, and every code of a warning', () => {
  const documented = new Set(page.match(/\b(?:ERR_)?PILLION_[A-Z_]+\b/g))
  const sources = readdirSync(new URL('src/', root), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(`${entry.parentPath}/${entry.name}`, 'utf8'))
  const used = new Set(sources.join('\n').match(/\b(?:ERR_)?PILLION_[A-Z_]+\b/g))
  expect([...documented].sort()).toEqual([...used].sort())
})

function sourceOf(name: string): string {
  return new RegExp(`^export (?:abstract )?class ${name} [\\s\\S]*?^}$`, 'm').exec(source)?.[0] ?? ''
}

/** From the class's own heading to the next one. */
function sectionOf(name: string): string {
  return page.split(/^(?=## )/m).find((section) => section.startsWith(`## ${name}\n`)) ?? ''
}
