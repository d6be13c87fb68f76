import { expect, test } from 'vitest'
import { RpcStub, RpcTarget } from '../../src/rpc/index.js'
import { nothingLeft, rpcPair } from '../support/rpc-pairs.js'
import { named, turns } from '../support/streams.js'

class User extends RpcTarget {
  readonly #name: string

  constructor(name: string) {
    super()
    this.#name = name
  }

  get name() {
    return this.#name
  }

  async greet(greeting: string) {
    await turns(1)
    return `${greeting}, ${this.#name}`
  }

  friends() {
    return [new User(`${this.#name}'s friend`), new User(`${this.#name}'s other friend`)]
  }
}

class Users extends RpcTarget {
  calls = 0
  ids(count = 3) {
    return Array.from({ length: count }, (_, i) => i)
  }

  user(id: number | undefined) {
    this.calls++
    if (id === 13) throw new RangeError('nobody is 13')
    return new User(`user ${id}`)
  }

  maybe(value: unknown) {
    return value
  }

  label(id: number, user: { name: string }) {
    return `${id}: ${user.name}`
  }

  list() {
    return [
      { id: 1, tags: ['a'] },
      { id: 2, tags: [] },
    ]
  }
}

const users = (main = new Users()) => rpcPair(main)

/** A promise of the language's: to `expect`, what an RpcPromise is would be a function. */
async function awaited<T>(promise: PromiseLike<T>): Promise<T> {
  return await promise
}

test('map runs the function for each element, on the other side', async () => {
  const { api, client } = users()
  const names = await api.ids().map((id) => api.user(id as never).name)
  expect(names).toEqual(['user 0', 'user 1', 'user 2'])
  await nothingLeft(client)
})

test('map takes no more round trips for many elements', async () => {
  const main = new Users()
  const { client, api } = users(main)
  const greetings = await api.ids(10).map((id) => api.user(id as never).greet('hi'))
  expect(greetings).toHaveLength(10)
  expect(greetings[9]).toBe('hi, user 9')
  expect(main.calls).toBe(10)
  await nothingLeft(client)
})

test('map gives null and undefined as they are, and an empty array for one', async () => {
  const { api } = users()
  const map = (value: unknown) => awaited(api.maybe(value).map((x) => [x as never]))
  expect(await map(null)).toBe(null)
  expect(await map(undefined)).toBe(undefined)
  expect(await map([])).toEqual([])
})

test('map of what is no array is the function of it', async () => {
  const { api } = users()
  expect(await api.maybe(7).map((id) => api.user(id as never).greet('ho'))).toBe('ho, user 7')
  expect(await api.maybe('text').map((text) => ({ text: text as never, again: [text as never] }))).toEqual({
    text: 'text',
    again: ['text'],
  })
})

test('a mapped function returns values with promises and stubs anywhere in them', async () => {
  const { api, client } = users()
  {
    using mapped = (await api.ids(2).map((id) => {
      const user = api.user(id as never)
      return { id, name: user.name, deep: [{ user, constant: 'x', date: new Date(5) }] } as never
    })) as never as { id: number; name: string; deep: { user: RpcStub<User>; constant: string; date: Date }[] }[] &
      Disposable
    expect(mapped[1]).toMatchObject({ id: 1, name: 'user 1', deep: [{ constant: 'x', date: new Date(5) }] })
    expect(await mapped[1]?.deep[0]?.user.greet('hey')).toBe('hey, user 1')
  }
  await nothingLeft(client)
})

test('a mapped function uses the properties of its element', async () => {
  const { api } = users()
  const list = api.list() as never as { map(f: (e: { id: never; tags: never[] }) => unknown): Promise<unknown> }
  expect(await list.map((element) => [element.id, element.tags[0]])).toEqual([
    [1, 'a'],
    [2, undefined],
  ])
  expect(await list.map((element) => element)).toEqual(new Users().list())
})

test('a mapped function calls what it has captured: functions and stubs of its own vat too', async () => {
  const { api, client } = users()
  const other = rpcPair(new Users())
  const seen: unknown[] = []
  using log = new RpcStub((value: unknown) => {
    seen.push(value)
    return `logged ${String(value)}`
  })
  expect(await api.ids(2).map((id) => log(id as never) as never)).toEqual(['logged 0', 'logged 1'])
  expect(seen).toEqual([0, 1])
  expect(await api.ids(2).map((id) => other.api.user(id as never).name)).toEqual(['user 0', 'user 1'])
  await nothingLeft(client)
  await nothingLeft(other.client)
})

test('a call’s result is an argument of the next one', async () => {
  const { api } = users()
  const labels = await api.ids(2).map((id) => api.label(id as never, { name: api.user(id as never).name as never }))
  expect(labels).toEqual(['0: user 0', '1: user 1'])
})

test('maps nest', async () => {
  const { api, client } = users()
  const names = await api.ids(2).map((id) => {
    const friends = api.user(id as never).friends() as never as {
      map(f: (friend: { greet(g: unknown): never; name: never }) => unknown): never
    }
    return friends.map((friend) => [id, friend.name, friend.greet('hi')])
  })
  expect(names).toEqual([
    [
      [0, "user 0's friend", "hi, user 0's friend"],
      [0, "user 0's other friend", "hi, user 0's other friend"],
    ],
    [
      [1, "user 1's friend", "hi, user 1's friend"],
      [1, "user 1's other friend", "hi, user 1's other friend"],
    ],
  ])
  await nothingLeft(client)
})

test('one element that fails fails the map, and leaves nothing behind', async () => {
  const { api, client } = users()
  await expect(awaited(api.ids(20).map((id) => api.user(id as never) as never))).rejects.toMatchObject({
    message: 'nobody is 13',
    cause: { name: 'RangeError' },
  })
  await nothingLeft(client)
})

test('a map of what fails fails with that', async () => {
  const { api } = users()
  const failing = api.user(13) as never as { map(f: (x: unknown) => unknown): Promise<unknown> }
  await expect(awaited(failing.map((x) => x))).rejects.toMatchObject({ message: 'nobody is 13' })
})

test('the function is recorded, not run: what it cannot do is a clear error', async () => {
  const { api, client } = users()
  const mapped = (apply: (id: never) => unknown) => awaited(api.ids().map(apply as never))
  await expect(mapped(async (id) => await api.user(id))).rejects.toThrow('cannot await')
  await expect(mapped('no function' as never)).rejects.toThrow('map takes a function')
  await expect(
    mapped(() => {
      throw new Error('of its own')
    }),
  ).rejects.toThrow('of its own')
  await expect(mapped((id) => `${id}`)).rejects.toThrow('recorded')
  await expect(mapped((id) => (id as number) + 1)).rejects.toThrow('recorded')
  using file = named('once')
  await expect(mapped(() => file)).rejects.toThrow('a descriptor cannot be used')
  await expect(mapped(() => ({ no: Symbol('no') }))).rejects.toThrow('result.no')
  await nothingLeft(client)
})

test('the element is nothing outside of the function', async () => {
  const { api } = users()
  let leaked: unknown
  await api.ids(1).map((id) => {
    leaked = id
    return id
  })
  await expect(awaited(api.maybe(leaked))).rejects.toThrow('map')
  await expect(awaited(leaked as Promise<unknown>)).rejects.toThrow('map')
})

test('a map of more calls than the other side allows fails as overloaded', async () => {
  const { api } = users()
  await expect(awaited(api.ids(20_000).map((id) => api.user(id as never).name))).rejects.toMatchObject({
    type: 'overloaded',
  })
})
