/** The calculator's client gets right results, each in one round trip. */
import { expect, test } from 'vitest'
import { run, Started } from './program.js'

test('calculations take one round trip each, and the calculator calls a function of its client back', {
  timeout: 60_000,
}, async () => {
  const address = `@pillion-calculator-${process.pid}`
  const calculator = await Started.serving('calculator/server.ts', [address])
  const { status, stdout, stderr } = await run('calculator/client.ts', [address])

  expect(stdout.trim().split('\n')).toEqual([
    '123 + 45 - 67 = 101: 4 messages, all before the first answer',
    '(4 * 6 + 3) * (4 * 6 + 5) = 783: 7 messages, all before the first answer',
    'g(21) = 4244: 5 messages, all before the first answer',
    '2 ^ (4 + 5) = 512: called back for 2 ^ 9',
  ])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(await calculator.end()).toBe(0)
})
