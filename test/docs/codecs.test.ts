/**
 * docs/codecs.md shows examples/own-codec/tagged.ts as it is; that codec passes the kit, all of it the built package; and
 * the page's table has every codec of ours, with the rules that they state.
 */
import { readFileSync } from 'node:fs'
import * as framing from 'pillion/framing'
import { conformanceChecks } from 'pillion/framing/testing'
import { describe, expect, it } from 'vitest'
import { tagged } from '../../examples/own-codec/tagged.js'

const root = new URL('../../', import.meta.url)
const example = readFileSync(new URL('examples/own-codec/tagged.ts', root), 'utf8')
const page = readFileSync(new URL('docs/codecs.md', root), 'utf8')

it('shows the example as it is', () => {
  expect(page).toContain(`\`\`\`ts\n${example}\`\`\``)
})

it('shows no more than 40 lines of it', () => {
  expect(example.trimEnd().split('\n').length).toBeLessThan(41)
})

describe('the example', () => {
  const samples = [0, 3, 0, 1].map((descriptors, i) => ({ payload: Buffer.alloc(20 * i, i), descriptors }))
  for (const check of conformanceChecks(tagged(), samples)) it(check.name, () => check.run())
})

describe("the page's table", () => {
  const codecs = [
    framing.pillion(),
    framing.lengthPrefixed(),
    framing.capnp(),
    framing.dbus(),
    framing.wayland(() => 0),
    framing.varlink(),
    framing.delimited(0),
    framing.contentLength(),
    framing.raw(),
  ]
  const rows = page.split('\n').filter((line) => /^\| \[?`/.test(line))

  it.each(codecs)('has the rules of $name', (codec) => {
    const { maxPayload, maxDescriptors } = framing.frameLimits({}, codec)
    const { maxDescriptorsPerSend, maxBytesPerSend, plainMayFollow, severalSets } = framing.sendRules(codec)
    const row =
      rows.find((line) =>
        new RegExp(`^\\| \\[?\`${codec.name.replace(/-(.)/, (_, letter: string) => letter.toUpperCase())}\\(`).test(
          line,
        ),
      ) ?? ''
    const cells = row.split('|').map((cell) => cell.trim())
    expect(cells.slice(3, -1)).toEqual([
      codec.pairing,
      maxPayload.toLocaleString('en'),
      String(maxDescriptors),
      String(maxDescriptorsPerSend),
      Number.isFinite(maxBytesPerSend) ? maxBytesPerSend.toLocaleString('en') : 'any',
      plainMayFollow ? 'yes' : 'no',
      severalSets ? 'yes' : 'no',
    ])
  })

  it('has no row for a codec that is not there', () => {
    expect(rows.length).toBe(codecs.length)
  })
})
