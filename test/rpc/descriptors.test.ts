import { fstatSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { TooManyDescriptorsError } from '../../src/errors.js'
import { callContext, RpcTarget } from '../../src/rpc/index.js'
import { Descriptor } from '../../src/stream/index.js'
import { served } from '../support/rpc-child.js'
import { nothingLeft, rpcPair, rpcProxy } from '../support/rpc-pairs.js'
import { named, nameOf, turns, until } from '../support/streams.js'

class Files extends RpcTarget {
  seen: Descriptor | undefined
  kept: Descriptor | number | undefined

  names(files: readonly Descriptor[]): string[] {
    this.seen = files[0]
    return files.map(nameOf)
  }

  async namesLater(files: readonly Descriptor[]) {
    this.seen = files[0]
    await turns()
    return files.map(nameOf)
  }

  take(file: Descriptor) {
    this.kept = file.take()
  }

  duplicate(file: Descriptor) {
    this.seen = file
    this.kept = file.dup()
  }

  open(...names: string[]): Descriptor[] {
    return names.map(named)
  }

  opened: Descriptor | undefined
  openOne(name: string): Descriptor {
    this.opened = named(name)
    return this.opened
  }

  nameOf(file: Descriptor): string {
    return nameOf(file)
  }

  echo(value: unknown) {
    return value
  }

  fail(file: Descriptor) {
    this.seen = file
    this.opened = named('thrown')
    throw new Error('not today', { cause: { file: this.opened } })
  }

  hang(file: Descriptor) {
    this.seen = file
    const { signal } = callContext()
    return new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  }

  then_close(file: Descriptor) {
    file.close()
  }
}

/** A promise of the language's: to `expect`, what an RpcPromise is would be a function. */
async function awaited<T>(promise: PromiseLike<T>): Promise<T> {
  return await promise
}

describe.each([
  ['over one session', rpcPair],
  ['through a third vat', rpcProxy as typeof rpcPair],
])('descriptors %s', (_name, vats) => {
  test('stand anywhere in arguments and results, each in its place', async () => {
    const { api } = vats(new Files())
    using a = named('a')
    using b = named('b')
    const value = { list: [a, { deep: new Map([['b', b]]) }], twice: [a, a] }
    using back = (await api.echo(value)) as never as typeof value & Disposable
    const [first, rest] = back.list as [Descriptor, { deep: Map<string, Descriptor> }]
    expect(nameOf(first)).toBe('a')
    expect(nameOf(rest.deep.get('b') as Descriptor)).toBe('b')
    expect(back.twice.map(nameOf)).toEqual(['a', 'a'])
    expect([a.closed, b.closed]).toEqual([false, false])
  })

  test('an argument stays its caller’s, and the callee’s copy is closed when its call ends', async () => {
    const main = new Files()
    const { api, client } = vats(main)
    using file = named('mine')
    expect(await api.names([file])).toEqual(['mine'])
    await until(() => main.seen?.closed === true, 'the copy to be closed')
    expect(await api.namesLater([file])).toEqual(['mine'])
    await until(() => main.seen?.closed === true, 'the copy to be closed')
    expect(nameOf(file)).toBe('mine')
    await nothingLeft(client)
  })

  test('the copy outlives its call if it was taken or duplicated', async () => {
    const main = new Files()
    const { api } = vats(main)
    using file = named('kept')
    await api.take(file)
    using taken = Descriptor.own(main.kept as number)
    expect(nameOf(taken)).toBe('kept')
    await api.duplicate(file)
    await until(() => main.seen?.closed === true, 'the copy to be closed')
    using duplicate = main.kept as Descriptor
    expect(nameOf(duplicate)).toBe('kept')
  })

  test('a copy that its callee closes is no fault', async () => {
    const { api } = vats(new Files())
    using file = named('closed early')
    await api.then_close(file)
    expect(nameOf(file)).toBe('closed early')
  })

  test('a result moves to its caller', async () => {
    const main = new Files()
    const { api } = vats(main)
    using file = await api.openOne('moved')
    expect(nameOf(file)).toBe('moved')
    expect(main.opened?.closed).toBe(true)
  })

  test('results are passed on before they have arrived', async () => {
    const { api, client } = vats(new Files())
    {
      using one = api.openOne('pipelined')
      expect(await api.nameOf(one)).toBe('pipelined')
      expect(await api.nameOf(one)).toBe('pipelined') // it has arrived by now
      using several = api.open('x', 'y')
      expect(await api.nameOf((several as never as Descriptor[])[1] as Descriptor)).toBe('y')
    }
    await nothingLeft(client)
  })

  test('a call that fails has closed its own, and its error bears none', async () => {
    const main = new Files()
    const { api } = vats(main)
    using file = named('unlucky')
    const error: unknown = await awaited(api.fail(file)).catch((thrown) => thrown)
    expect(error).toMatchObject({ type: 'failed', message: 'not today' })
    expect((error as Error).cause).toBeUndefined()
    expect(nameOf(main.opened as Descriptor)).toBe('thrown') // still its owner's
    main.opened?.close()
    await until(() => main.seen?.closed === true, 'the copy to be closed')
  })

  test('a canceled call closes its own', async () => {
    const main = new Files()
    const { api, client } = vats(main)
    using file = named('canceled')
    const call = api.hang(file)
    await until(() => main.seen !== undefined, 'the call to arrive')
    ;(call as unknown as Disposable)[Symbol.dispose]()
    await until(() => main.seen?.closed === true, 'the copy to be closed')
    await expect(client.drain()).resolves.toBeUndefined()
  })

  test('a result that nobody wants any more is closed', async () => {
    const { api, client } = vats(new Files())
    const unwanted = api.open('a', 'b', 'c')
    unwanted[Symbol.dispose]()
    await nothingLeft(client)
  })

  test('the elements of a map are told apart', async () => {
    const { api } = vats(new Files())
    using opened = api.open('p', 'q', 'r')
    expect(await opened.map((file) => api.nameOf(file as never))).toEqual(['p', 'q', 'r'])
  })
})

describe('descriptors', () => {
  test('1,000 calls with any number of them: each arrives where it belongs', async () => {
    const { api, client } = rpcPair(new Files())
    let seed = 1
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
      return (seed >>> 8) % below
    }
    for (let batch = 0; batch < 100; batch++) {
      const calls = Array.from({ length: 10 }, async (_, i) => {
        const names = Array.from({ length: random(8) }, (_, j) => `${batch}.${i}.${j}`)
        const files = names.map(named)
        const seen = random(2) === 0 ? api.names(files) : api.namesLater(files)
        for (const file of files) file.close() // duplicates have gone
        expect(await seen).toEqual(names)
        using back = await api.open(...names)
        expect([...(back as never as Descriptor[])].map(nameOf)).toEqual(names)
      })
      await Promise.all(calls)
    }
    await nothingLeft(client)
  })

  test.each([253, 1024])('as many travel as a frame may bear, and no more: %i', async (maxDescriptors) => {
    const { api } = rpcPair(new Files(), { stream: { maxDescriptors } })
    using file = named('one of many')
    const full = Array(maxDescriptors).fill(file)
    expect((await api.names(full)).length).toBe(maxDescriptors)
    const call = api.names([...full, file])
    await expect(awaited(call)).rejects.toBeInstanceOf(TooManyDescriptorsError)
    await expect(awaited(api.echo('alive'))).resolves.toBe('alive')
    // The other way: the callee's are closed, and the caller is told.
    await expect(awaited(api.open(...Array(maxDescriptors + 1).fill('x')))).rejects.toMatchObject({ type: 'failed' })
    using back = await api.open(...Array(maxDescriptors).fill('x'))
    expect((back as never as Descriptor[]).length).toBe(maxDescriptors)
  })

  test('a session that carries none refuses the call before anything is sent', async () => {
    const main = new Files()
    const { api } = rpcPair(main, { over: 'memory', carriesDescriptors: false })
    using file = named('stays')
    await expect(awaited(api.names([file]))).rejects.toMatchObject({ code: 'ERR_PILLION_USAGE' })
    expect(main.seen).toBeUndefined()
    expect(nameOf(file)).toBe('stays')
    await expect(awaited(api.openOne('cannot'))).rejects.toThrow('carries no descriptors')
    expect(main.opened?.closed).toBe(true)
  })

  test('a closed one is refused by its path, and nothing is sent', async () => {
    const main = new Files()
    const { api } = rpcPair(main)
    const closed = named('closed')
    closed.close()
    using open = named('open')
    await expect(awaited(api.echo({ files: [open, closed] }))).rejects.toThrow('args[0].files[1]: ')
    await expect(awaited(api.echo({ files: [open, closed] }))).rejects.toMatchObject({ code: 'ERR_PILLION_CLOSED' })
    expect(fstatSync(open.fd).size).toBe(4)
  })

  test('a result that cannot be sent is closed with all that is in it', async () => {
    class Odd extends RpcTarget {
      file: Descriptor | undefined
      odd() {
        this.file = named('lost')
        return [this.file, { deep: Symbol('no') }]
      }
    }
    const main = new Odd()
    const { api } = rpcPair(main)
    await expect(awaited(api.odd())).rejects.toThrow('result[1].deep: a symbol cannot travel')
    expect(main.file?.closed).toBe(true)
  })

  test('a call whose descriptors were lost fails alone, in both directions', async () => {
    interface Crowded extends RpcTarget {
      fill(free: number): Promise<void>
      empty(): void
      names(files: readonly Descriptor[]): string[]
      fetch(open: () => Descriptor[]): Promise<unknown>
      echo(value: string): string
    }
    const { api } = served<Crowded>(fileURLToPath(new URL('children/crowded.ts', import.meta.url)), { limit: 128 })
    const names = Array.from({ length: 20 }, (_, i) => `file ${i}`)
    const files = names.map(named)
    await api.fill(5)
    const short = awaited(api.names(files))
    const plain = awaited(api.echo('beside it'))
    await expect(short).rejects.toMatchObject({ type: 'failed', cause: { code: 'ERR_PILLION_DESCRIPTOR_LOST' } })
    expect(await plain).toBe('beside it')
    expect(await api.names(files.slice(0, 5))).toEqual(names.slice(0, 5)) // what came was closed
    expect(await api.fetch(() => names.map(named))).toBe('ERR_PILLION_DESCRIPTOR_LOST')
    await api.empty()
    expect(await api.names(files)).toEqual(names)
    expect(await api.fetch(() => names.map(named))).toEqual(names)
    for (const file of files) file.close()
  })
})
