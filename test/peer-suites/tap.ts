/** What capnp-ts's tests use of tap. */
import { expect, it } from 'vitest'

class Tap {
  readonly #teardowns: (() => void)[] = []

  setTimeout(): void {}

  end(): void {}

  teardown(callback: () => void): void {
    this.#teardowns.push(callback)
  }

  equal(actual: unknown, expected: unknown, message?: string): void {
    expect(actual, message).toBe(expected)
  }

  strictSame(actual: unknown, expected: unknown, message?: string): void {
    expect(actual, message).toStrictEqual(expected)
  }

  ok(actual: unknown, message?: string): void {
    expect(actual, message).toBeTruthy()
  }

  match(actual: unknown, pattern: RegExp, message?: string): void {
    expect(actual, message).toMatch(pattern)
  }

  throws(callback: () => void, expected?: RegExp | string): void {
    if (expected instanceof RegExp) expect(callback).toThrow(expected)
    else expect(callback, expected).toThrow()
  }

  doesNotThrow(callback: () => void, message?: string): void {
    expect(callback, message).not.toThrow()
  }

  async rejects(promise: Promise<unknown>, expected?: RegExp | string): Promise<void> {
    if (expected instanceof RegExp) await expect(promise).rejects.toThrow(expected)
    else await expect(promise, expected).rejects.toThrow()
  }

  tearDown(): void {
    for (const callback of this.#teardowns) callback()
  }
}

export default {
  test(title: string, callback: (tap: Tap) => unknown): void {
    it(title, async () => {
      const tap = new Tap()
      try {
        await callback(tap)
      } finally {
        tap.tearDown()
      }
    })
  },
}
