/** As mocha has it, for tests that were written for it: globals, a `this` for hooks and tests, `done`; and chai. */
import * as vitest from 'vitest'

export const { expect, assert } = vitest.chai

type Callback = (this: object, done?: (error?: unknown) => void) => unknown

const context = { timeout() {} }

function run(callback: Callback): () => Promise<void> {
  return async () => {
    if (callback.length === 0) return void (await callback.call(context))
    await new Promise<void>((resolve, reject) => {
      const done = (error?: unknown) => (error === undefined ? resolve() : reject(error))
      Promise.resolve(callback.call(context, done)).catch(reject)
    })
  }
}

const it = Object.assign((title: string, callback: Callback) => vitest.it(title, run(callback)), {
  skip: (title: string) => vitest.it.skip(title, () => {}),
})

Object.assign(globalThis, {
  it,
  test: it,
  xit: it.skip,
  expect,
  describe: vitest.describe,
  suite: vitest.describe,
  beforeEach: (callback: Callback) => vitest.beforeEach(run(callback)),
  afterEach: (callback: Callback) => vitest.afterEach(run(callback)),
})
