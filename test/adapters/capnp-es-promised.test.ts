/**
 * Capabilities of capnp-es that a peer passes on before it has them: the results of a call that is not answered yet. What is
 * called on them waits for that answer, and settles as it does.
 */
import { Deferred } from 'capnp-es'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FrameConn } from '../../src/adapters/capnp-es/index.js'
import { capnp } from '../../src/framing/index.js'
import { streamPair, turns } from '../support/streams.js'
import { File, type File$Client, Peer, type Slot } from './fixtures/generated/capnp-es/peer.js'
import { unhandled } from './support/unhandled.js'

type Methods = ConstructorParameters<typeof Peer.Server>[0]

/** Both ends by this library. `file` returns once it is told to, and `call` with the names of all files that it is given. */
function ends(methods: Partial<Methods> = {}) {
  const [left, right] = streamPair({ codec: capnp() })
  const conns = [new FrameConn(left), new FrameConn(right)] as const
  onTestFinished(() => {
    for (const conn of conns) conn.shutdown()
  })
  const opening = new Deferred<void>()
  const named: string[] = []
  conns[1].initMain(Peer, {
    async file(params, results) {
      const { name } = params
      await opening.promise
      if (name === 'lost') throw new Error('not today')
      if (name !== '') results.file = fileNamed(name, named)
    },
    async call(params, results) {
      results.value = (await Promise.all([...params.files].map(outcomeOf))).join()
    },
    ...methods,
  })
  return { main: conns[0].bootstrap(Peer), opening, named }
}

/** Answers with its name and how many asked before, which it also notes. */
function fileNamed(name: string, named: string[]): File$Client {
  const server = new File.Server({
    async name(_params, results) {
      results.name = `${name} ${named.length}`
      named.push(results.name)
    },
  })
  return server.client()
}

function outcomeOf({ file }: Slot): Promise<string> {
  return (file as File$Client)
    .name()
    .promise()
    .then(
      ({ name }) => name,
      (error: Error) => `failed: ${error.message}`,
    )
}

type Main = ReturnType<typeof ends>['main']

async function callWith(main: Main, files: readonly File$Client[], method = ''): Promise<string> {
  const call = main.call((params) => {
    params.method = method
    const slots = params._initFiles(files.length)
    for (const [i, file] of files.entries()) slots.get(i).file = file
  })
  return (await call.promise()).value
}

describe('a promised capability passed on', () => {
  const openedBy = (main: Main, name: string) => main.file((params) => (params.name = name)).getFile()

  it('is called once it is there, by a method that calls it at once; in order with its caller’s calls', async () => {
    const { main, opening, named } = ends()
    const file = openedBy(main, 'notes')
    const names = [file.name().promise()]
    const told = callWith(main, [file, file])
    await turns(3)
    names.push(file.name().promise())
    opening.resolve(undefined)
    expect(await told).toBe('notes 1,notes 2')
    expect((await Promise.all(names)).map(({ name }) => name)).toEqual(['notes 0', 'notes 3'])
    expect(named).toEqual(['notes 0', 'notes 1', 'notes 2', 'notes 3'])
  })

  it('is called by a method that waits until it is there', async () => {
    const { main, opening } = ends({
      async call(params, results) {
        await turns(3)
        results.value = await outcomeOf(params.files.get(0))
      },
    })
    opening.resolve(undefined)
    expect(await callWith(main, [openedBy(main, 'notes')])).toBe('notes 0')
  })

  it('fails what is called on it where its answer does, or has none in it', async () => {
    const uncaught = unhandled()
    const { main, opening } = ends()
    const [failing, empty] = [openedBy(main, 'lost'), openedBy(main, '')]
    const told = [callWith(main, [empty]), callWith(main, [failing])]
    await turns(3)
    opening.resolve(undefined)
    expect(await Promise.all(told)).toEqual([expect.stringMatching(/^failed: /), expect.stringContaining('not today')])
    expect(uncaught).toEqual([])
  })

  it('is called at once by a method of its own, which waited for that too; behind the others that did', async () => {
    const asked: string[] = []
    const opening = new Deferred<void>()
    // Asked for its name, as what it is promised to be, it calls nobody.
    const opened = new Peer.Server({
      async call(params, results) {
        asked.push('files' in params ? params.method : 'name')
        if ('files' in params) results.value = await outcomeOf(params.files.get(0))
        else (results as unknown as { name: string }).name = 'itself'
      },
      file: async () => {},
    })
    const { main } = ends({
      async file(_params, results) {
        await opening.promise
        results.file = opened.client() as unknown as File$Client
      },
    })
    const file = openedBy(main, '')
    const told = ['first', 'second'].map((name) => callWith(new Peer.Client(file.client), [file], name))
    await turns(3)
    opening.resolve(undefined)
    expect(await Promise.all(told)).toEqual(['itself', 'itself'])
    expect(asked).toEqual(['first', 'second', 'name', 'name'])
  })

  it('fails alone where it has no such method', async () => {
    const uncaught = unhandled()
    const { main, opening } = ends()
    const file = openedBy(main, 'notes')
    const told = callWith(main, [file])
    const missing = new Peer.Client(file.client)
      .file()
      .promise()
      .catch((error: Error) => error.message)
    const names = [file, file].map((each) => each.name().promise())
    await turns(3)
    opening.resolve(undefined)
    expect(await missing).toContain('not implemented')
    expect((await Promise.all(names)).map(({ name }) => name).toString()).toContain('notes')
    expect(await told).toContain('notes')
    expect(uncaught).toEqual([])
  })

  it.each(['notes', 'lost'])('can be asked for what its calls will return, before: %s', async (name) => {
    const uncaught = unhandled()
    const opening = new Deferred<void>()
    const { main } = ends({
      async file(params, results) {
        await opening.promise
        results.file = (params.name === 'outer' ? inner : fileNamed('x', [])) as File$Client
      },
      async call(params, results) {
        const promised = new Peer.Client((params.files.get(0).file as File$Client).client)
        const outcome = promised
          .file((asked) => (asked.name = name))
          .getFile()
          .name()
          .promise()
        results.value = await outcome.then(
          (found) => found.name,
          () => 'failed',
        )
      },
    })
    const inner = new Peer.Server({
      call: async () => {},
      async file(params, results) {
        await turns(1)
        if (params.name === 'lost') throw new Error('not today')
        results.file = fileNamed('inner', [])
      },
    }).client() as unknown as File$Client
    const told = callWith(main, [openedBy(main, 'outer')])
    await turns(3)
    opening.resolve(undefined)
    expect(await told).toBe(name === 'notes' ? 'inner 0' : 'failed')
    expect(uncaught).toEqual([])
  })

  it('fails what is called on it where its answer is that promise itself', async () => {
    const uncaught = unhandled()
    const opening = new Deferred<void>()
    let given: File$Client | undefined
    const { main } = ends({
      async file(_params, results) {
        await opening.promise
        results.file = given as File$Client
      },
      async call(params, results) {
        given = params.files.get(0).file as File$Client
        const first = outcomeOf(params.files.get(0))
        opening.resolve(undefined)
        await turns(3)
        results.value = (await Promise.all([first, outcomeOf(params.files.get(0))])).join()
      },
    })
    const file = openedBy(main, 'itself')
    const name = outcomeOf({ file } as Slot)
    expect(await callWith(main, [file])).toMatch(/^failed: .*,failed: /)
    expect(await name).toMatch(/^failed: /)
    expect(uncaught).toEqual([])
  })

  it('lets 64 calls wait; one more fails', async () => {
    const { main, opening } = ends()
    const file = openedBy(main, 'notes')
    const told = callWith(main, Array(65).fill(file))
    await turns(3)
    opening.resolve(undefined)
    const outcomes = (await told).split(',')
    expect(outcomes.filter((each) => each.startsWith('failed'))).toHaveLength(1)
  })
})
