/** Restarts under load lose nothing, and the example would say so if they did. */
import { expect, test } from 'vitest'
import { run } from './program.js'

const minute = 60_000

test('three restarts under load: no request fails, every connection moves, nothing leaks', {
  timeout: minute,
}, async () => {
  const connections = 20
  const { status, stdout, stderr } = await run('hot-restart/main.ts', ['--connections', String(connections)])
  const counts = tableOf(stdout)

  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout).toContain('Nothing failed.')
  expect(counts).toMatchObject({ failures: 0, restarts: 3, leaked: 0 })
  expect(counts['descriptors handed over']).toBeGreaterThanOrEqual(3 * (connections + 1)) // and a short one, at times
  expect(counts.requests).toBeGreaterThanOrEqual(4 * 200) // some before, between and behind the restarts
  expect(counts['short connections']).toBeGreaterThan(0)
})

test('a connection whose state was lost on the way is counted, with exit code 1', { timeout: minute }, async () => {
  const { status, stdout } = await run('hot-restart/main.ts', ['--connections', '3', '--restarts', '1', '--forget'])

  expect(stdout.slice(stdout.indexOf('FAILED:'))).toMatch(/connection \d: request \d+ was counted as 1\n/)
  expect(tableOf(stdout)).toMatchObject({ failures: 3, restarts: 1 })
  expect(status).toBe(1)
})

function tableOf(output: string): Record<string, number> {
  const [, names = '', numbers = ''] = output.match(/^( *requests .*)\n(.*)$/m) ?? []
  const cells = numbers.trim().split(/\s{2,}/)
  const columns = names.trim().split(/\s{2,}/)
  return Object.fromEntries(columns.map((name, i) => [name, Number(cells[i]?.replaceAll(',', ''))]))
}
