/** What tests of the session layer wait for: things that happen, and conditions that come true. */

/** A promise, and what settles it. */
export interface Gate<T = void> {
  readonly promise: Promise<T>
  open(value: T): void
}

export function gate<T = void>(): Gate<T> {
  let open!: (value: T) => void
  const promise = new Promise<T>((resolve) => {
    open = resolve
  })
  return { promise, open }
}

/** Looks once a turn of the loop. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

let addresses = 0

/** An abstract address of this process's own. */
export function freshAddress(): string {
  return `@pillion-rpc-${process.pid}-${addresses++}`
}

/** A promise for `expect`, which would call one of ours: that is a function. */
export async function plain<T>(promise: PromiseLike<T>): Promise<T> {
  return await promise
}
