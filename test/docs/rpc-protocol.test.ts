/**
 * The examples of docs/rpc-protocol.md are test vectors of the protocol, under the names that they have there.
 */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { partsOf, Tag } from '../../src/rpc/values/tags.js'
import { messageVectors, valueVectors } from '../rpc/vectors/vectors.js'

const page = readFileSync(new URL('../../docs/rpc-protocol.md', import.meta.url), 'utf8')

/** Blocks fenced as `vectors`: a line of bytes, two spaces or more, and what they are. */
const examples = [...page.matchAll(/^```vectors\n([\s\S]*?)^```$/gm)].flatMap(([, block = '']) =>
  block
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [, hex = '', name = ''] = /^((?:[\da-f]{2} )*[\da-f]{2}) {2,}(\S.*)$/.exec(line) ?? []
      if (hex === '') throw new Error(`docs/rpc-protocol.md has a line that is no vector: ${line}`)
      return { name, hex: hex.replaceAll(' ', '') }
    }),
)

const vectors = new Map<string, string>([
  ...messageVectors.messages.map(({ name, hex }) => [name, hex] as const),
  ...valueVectors.values.map(({ value, hex }) => [value, hex] as const),
])

it('shows examples of messages and of values', () => {
  expect(examples.length).toBeGreaterThanOrEqual(25)
})

it.each(examples)('shows the bytes of $name', ({ name, hex }) => {
  expect(vectors.get(name)).toBe(hex)
})

it('lists each mark with its number and its parts', () => {
  for (const [name, tag] of Object.entries(Tag)) {
    const row = new RegExp(`^\\| ${tag} \\| ${name} \\| ([^|]*)\\|`, 'm').exec(page)
    const parts = (row?.[1] ?? '').trim()
    expect(parts === '' ? 1 : 1 + parts.split(', ').length, name).toBe(partsOf[tag])
  }
})
