/** What the adapter promises of messages that the library drops, or lets wait, with either major version of it. */
import { readdirSync, readlinkSync } from 'node:fs'
import { describe, expect, it, onTestFinished } from 'vitest'
import type * as Library from 'vscode-jsonrpc/node'
import type * as Adapter from '../../../src/adapters/vscode-jsonrpc/index.js'
import type { Descriptor, FrameStream } from '../../../src/stream/index.js'
import { named, nameOf, streamPair, until } from '../../support/streams.js'

type Content = Readonly<Record<string, unknown>>

export function jsonRpcTurns(library: typeof Library, adapter: typeof Adapter): void {
  /** Listens to notifications of x, the first of which is at work until it is told to go on. */
  function holdFirst(connection: Library.MessageConnection) {
    const calls = { handled: 0, goOn: () => {} }
    connection.onNotification('x', async () => {
      if (calls.handled++ === 0) await new Promise<void>((resolve) => (calls.goOn = resolve))
    })
    connection.listen()
    return calls
  }

  function served(options: Adapter.JsonRpcOptions = {}) {
    const [stream, peer] = streamPair()
    const connection = adapter.createMessageConnection(stream, undefined, options)
    onTestFinished(() => connection.dispose())
    const { reader, writer } = adapter.messageStreams(peer)
    const answers: Content[] = []
    reader.listen((message) => void answers.push(message as unknown as Content))
    const write = (content: Content) => writer.write({ jsonrpc: '2.0', ...content } as never)
    return { stream, peer, connection, answers, write, end: () => void writer.end() }
  }

  /** So many messages in one wake-up, each with a file of its own, and one behind them that is answered. */
  async function withFiles(
    { write, stream, peer, answers }: ReturnType<typeof served>,
    contents: (i: number) => Content[],
  ) {
    stream.pause()
    for (let i = 0; i < 20; i++) {
      for (const content of contents(i)) {
        using file = named(i)
        await write({ ...content, extra: file })
      }
    }
    await write({ id: 'last', method: 'last' })
    await peer.flush()
    stream.resume()
    await until(() => answers.some(({ id }) => id === 'last'), 'the last answer')
  }

  describe.each([-1, 2])(
    'descriptors of messages that have no turn are closed, with maxParallelism %s:',
    (maxParallelism) => {
      const cancel = (id: unknown) => ({ method: '$/cancelRequest', params: { id } })

      it('of requests with the same id', async () => {
        const end = served({ maxParallelism })
        end.connection.onRequest('last', () => true)
        end.connection.onRequest('x', () => true)
        end.connection.listen()
        const before = openFiles()
        await withFiles(end, (i) => [{ id: i % 2 === 0 ? 1 : '1', method: 'x' }])
        await until(() => openFiles() === before, 'no more files than before')
      })

      it.each(['running', 'refused', 'unknown'])('of a cancelling of what is %s', async (what) => {
        const end = served({ maxParallelism })
        const source = new library.CancellationTokenSource()
        end.connection.onRequest('last', () => true)
        end.connection.onRequest(
          'hang',
          () => new Promise((done) => source.token.onCancellationRequested(() => done(1))),
        )
        end.connection.listen()
        await end.write({ id: 'running', method: 'hang' })
        const before = openFiles()
        await withFiles(end, () => [what === 'refused' ? { method: '$/cancelRequest', params: null } : cancel(what)])
        await until(() => openFiles() === before, 'no more files than before')
        source.cancel()
      })

      it('of requests that are cancelled in time', async () => {
        const connectionStrategy: Library.ConnectionStrategy = {
          cancelUndispatched: (message) => {
            const { id } = message as unknown as { id: number }
            return { jsonrpc: '2.0', id, error: { code: -32800, message: 'no' } }
          },
        }
        const end = served({ maxParallelism, connectionStrategy })
        end.connection.onRequest('last', () => true)
        end.connection.listen()
        const before = openFiles()
        await withFiles(end, (i) => [{ id: i, method: 'x' }, cancel(i)])
        expect(end.answers).toHaveLength(21)
        await until(() => openFiles() === before, 'no more files than before')
      })

      it('of what is neither a call nor an answer', async () => {
        const end = served({ maxParallelism })
        end.connection.onRequest('last', () => true)
        end.connection.listen()
        const failed = expect(end.connection.sendRequest('never')).rejects.toThrow('neither a result nor an error')
        await until(() => end.answers.length === 1, 'the question')
        const before = openFiles()
        await withFiles(end, (i) => [{ id: 0 }, { id: null, method: 'x' }, { id: 9, result: i }])
        await failed
        await until(() => openFiles() === before, 'no more files than before')
      })
    },
  )

  describe.each([-1, 100])('descriptors of calls that go on are bounded, with maxParallelism %s:', (maxParallelism) => {
    function hanging(maxUntaken: number) {
      const end = served({ maxParallelism, maxUntaken })
      const held: Descriptor[] = []
      const errors: unknown[] = []
      let goOn = () => {}
      const going = new Promise<void>((resolve) => (goOn = resolve))
      end.connection.onRequest('hang', ({ files }: { files: Descriptor[] }) => {
        held.push(...files)
        return going
      })
      end.connection.onNotification('hang', ({ files }: { files: Descriptor[] }) => {
        held.push(...files)
        return going
      })
      end.connection.onRequest('fine', () => true)
      end.connection.onError(([error]) => errors.push(error))
      end.connection.listen()
      const ask = async (content: Content, count: number) => {
        const files = Array.from({ length: count }, (_, i) => named(i))
        await end.write({ ...content, method: 'hang', params: { files } })
        for (const file of files) file.close()
      }
      return { ...end, held, errors, ask, goOn: () => goOn() }
    }

    it('one request more fails, and it alone', async () => {
      const { ask, write, answers, held, goOn } = hanging(10)
      for (let id = 0; id < 5; id++) await ask({ id }, 2)
      await ask({ id: 'more' }, 1)
      await write({ id: 'last', method: 'fine' })
      await until(() => answers.length === 2, 'two answers')
      expect(answers).toMatchObject([
        { id: 'more', error: { message: expect.stringContaining('maxUntaken') } },
        { id: 'last', result: true },
      ])
      held[0]?.close()
      await ask({ id: 'again' }, 1)
      await until(() => held.length === 11, 'the call')
      goOn()
      await until(() => held.every(({ closed }) => closed), 'the end of the calls')
      for (let i = 0; i < 30; i++) await ask({ id: `later ${i}` }, 1)
      await until(() => answers.length === 38 && held.every(({ closed }) => closed), 'the others')
    })

    it('one notification more is told to onError', async () => {
      const { ask, write, answers, errors, held, goOn } = hanging(10)
      for (let i = 0; i < 11; i++) await ask({}, 1)
      await write({ id: 'last', method: 'fine' })
      await until(() => answers.length === 1, 'the answer')
      expect(errors).toMatchObject([{ name: 'RpcError', type: 'overloaded' }])
      expect(held).toHaveLength(10)
      goOn()
      await until(() => held.every(({ closed }) => closed), 'the end of the calls')
    })

    it('a burst of more waits for its turns', async () => {
      const { ask, answers, goOn } = hanging(10)
      goOn()
      await Promise.all(Array.from({ length: 100 }, (_, id) => ask({ id }, 5)))
      await until(() => answers.length === 100, 'the answers')
      expect(answers.filter((answer) => 'error' in answer)).toEqual([])
    })
  })

  it('a second answer to a call takes nothing from the first, which waits for its turn', async () => {
    const { stream, connection, answers: asked, write } = served()
    connection.listen()
    const call = connection.sendRequest<Descriptor>('x')
    await until(() => asked.length === 1)
    stream.pause() // both come in one wake-up
    await Promise.all(['first', 'second'].map((name) => write({ id: asked[0]?.id, result: named(name) })))
    stream.resume()
    const file = await call
    expect(nameOf(file)).toBe('first')
    file.close()
  })

  it('a peer waits while many descriptors wait for their turn', async () => {
    const { connection, stream, write } = served({ maxParallelism: 1 })
    const calls = holdFirst(connection)
    const files = Array.from({ length: 100 }, (_, i) => named(i))
    const before = openFiles()
    const writes = Promise.all(Array.from({ length: 200 }, () => write({ method: 'x', params: { files } })))
    await until(() => openFiles() - before > 1024, 'more than may wait')
    for (let i = 0; i < 100; i++) await new Promise(setImmediate)
    expect(stream.stats.received.descriptors).toBeLessThan(10_000)
    calls.goOn()
    await writes
    await until(() => calls.handled === 200 && openFiles() === before, 'all of them')
    for (const file of files) file.close()
  })

  describe('with limited parallelism', () => {
    it('all that came before the end of the stream is handled before it is told', async () => {
      const { connection, write, end } = served({ maxParallelism: 1 })
      let begun = 0
      connection.onNotification('x', async () => {
        begun++
        for (let i = 0; i < 5; i++) await new Promise(setImmediate)
      })
      const closed = new Promise<number>((resolve) => void connection.onClose(() => resolve(begun)))
      connection.listen()
      for (let i = 0; i < 20; i++) await write({ method: 'x' })
      end()
      expect(await closed).toBe(20)
    })

    it('the end is told though the last call goes on', async () => {
      const { connection, write, end } = served({ maxParallelism: 1 })
      let done = () => {}
      connection.onNotification('x', () => new Promise<void>((resolve) => (done = resolve)))
      const closed = new Promise<void>((resolve) => void connection.onClose(() => resolve()))
      connection.listen()
      await write({ method: 'x' })
      end()
      await closed
      done()
    })

    it('a call that waits for the peer’s answer ends when the peer has ended, and those behind it are handled', async () => {
      const { connection, write, end, answers } = served({ maxParallelism: 1 })
      const failed: unknown[] = []
      connection.onNotification('x', async () => {
        await connection.sendRequest('never').catch(({ code }) => failed.push(code))
        await connection.sendRequest('never').catch(({ code }) => failed.push(code))
      })
      const closed = new Promise<void>((resolve) => void connection.onClose(() => resolve()))
      connection.listen()
      for (let i = 0; i < 3; i++) await write({ method: 'x' })
      await until(() => answers.length === 1, 'a question')
      end()
      await closed
      expect(failed).toEqual(Array(failed.length).fill(library.ErrorCodes.PendingResponseRejected))
      expect(failed.length).toBeGreaterThanOrEqual(4)
    })

    it('a peer waits while calls run that others wait for', async () => {
      const { connection, stream, peer } = served({ maxParallelism: 1 })
      const calls = holdFirst(connection)
      flood(peer, 20_000)
      await until(() => stream.stats.received.frames > 1024, 'more than may wait')
      for (let i = 0; i < 100; i++) await new Promise(setImmediate)
      expect(stream.stats.received.frames).toBeLessThan(10_000)
      calls.goOn()
      await until(() => calls.handled === 20_000, 'all of them')
    })

    it('an answer comes though many messages are ahead of it', async () => {
      const { connection, peer, answers, write } = served({ maxParallelism: 1 })
      let handled = 0
      let goOn = () => {}
      const going = new Promise<void>((resolve) => (goOn = resolve))
      connection.onNotification('x', async () => {
        if (handled++ > 0) return
        await going
        expect(await connection.sendRequest('question')).toBe('answer')
      })
      connection.listen()
      flood(peer, 5000)
      const asked = until(() => answers.length === 1, 'the question')
      goOn()
      await asked
      await write({ id: answers[0]?.id, result: 'answer' })
      await until(() => handled === 5000, 'all of them')
    })

    it('a peer that sends without end ahead of its answer is given up', async () => {
      const { connection, stream, peer } = served({ maxParallelism: 1 })
      const errors: unknown[] = []
      connection.onError(([error]) => errors.push(error))
      connection.onNotification('x', async () => {
        await connection.sendRequest('never').catch(() => {})
      })
      connection.listen()
      flood(peer, 40_000)
      await expect(stream.closed).rejects.toMatchObject({ name: 'RpcError', type: 'overloaded', origin: 'remote' })
      await until(() => errors.length > 0, 'the error')
    })

    it('a turn that fails is told to onError, and counts as one', async () => {
      const { connection, write, answers } = served({
        maxParallelism: 1,
        messageStrategy: {
          handleMessage: (message, next) => {
            if ((message as unknown as Content).method === 'fail') return Promise.reject(new Error('as it should'))
            return next(message)
          },
        },
      })
      const errors: string[] = []
      connection.onError(([{ message }]) => errors.push(message))
      connection.onRequest('last', () => true)
      connection.listen()
      for (let i = 0; i < 3; i++) await write({ method: 'fail' })
      await write({ id: 'last', method: 'last' })
      await until(() => answers.length === 1, 'the answer')
      expect(errors).toEqual(Array(3).fill('as it should'))
    })
  })

  it('a reader beneath another strategy gives all messages, and nothing else, then the end', async () => {
    const [stream, peer] = streamPair()
    const { reader, writer } = adapter.messageStreams(stream)
    const connection = library.createMessageConnection(reader, writer)
    onTestFinished(() => connection.dispose())
    const methods: unknown[] = []
    connection.onNotification((method) => void methods.push(method))
    const closed = new Promise<void>((resolve) => void connection.onClose(() => resolve()))
    connection.listen()
    flood(peer, 3000)
    await peer.end()
    await closed
    expect(methods).toEqual(Array(3000).fill('x'))
  })

  function flood(peer: FrameStream, count: number): void {
    const { writer } = adapter.messageStreams(peer)
    for (let i = 0; i < count; i++) void writer.write({ jsonrpc: '2.0', method: 'x' } as never).catch(() => {})
  }
}

/** Files of `named` that are open in this process. */
export function openFiles(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('/memfd:pillion ')
    } catch {
      return false // the listing's own, closed by now
    }
  }).length
}
