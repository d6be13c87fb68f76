/**
 * What the adapter promises with either major version of vscode-jsonrpc: the two test files run the same.
 *
 * Ends are pairs of streams in one process, in both framings; what passes between processes is in the files themselves.
 */
import { describe, expect, it, onTestFinished } from 'vitest'
import type * as Library from 'vscode-jsonrpc/node'
import type * as Adapter from '../../../src/adapters/vscode-jsonrpc/index.js'
import { contentLength, pillion, varlink } from '../../../src/framing/index.js'
import { packValue } from '../../../src/rpc/index.js'
import { adopt, type Descriptor, type FrameStream, type StreamOptions } from '../../../src/stream/index.js'
import { adoptOwned } from '../../../src/transport/descriptor.js'
import { pairUnix } from '../../../src/transport/index.js'
import { needs } from '../../support/needs.js'
import { destroyedAfterTest, named, nameOf, streamPair, text, until } from '../../support/streams.js'
import { jsonRpcTurns, openFiles } from './json-rpc-turns.js'

export function jsonRpcScenarios(library: typeof Library, adapter: typeof Adapter): void {
  const framings: readonly (readonly [string, StreamOptions])[] = [
    ['contentLength()', { codec: contentLength() }],
    ['pillion()', { codec: pillion() }],
  ]

  function connectionOver(stream: FrameStream, options: Library.ConnectionOptions = {}): Library.MessageConnection {
    const connection = adapter.createMessageConnection(stream, undefined, options)
    onTestFinished(() => connection.dispose())
    return connection
  }

  function pairWith(near: StreamOptions, far: StreamOptions): [FrameStream, FrameStream] {
    const [a, b] = pairUnix().map(adoptOwned)
    return [destroyedAfterTest(adopt(a!, near)), destroyedAfterTest(adopt(b!, far))]
  }

  function connected(options: StreamOptions): [Library.MessageConnection, Library.MessageConnection] {
    const [near, far] = streamPair(options).map((stream) => connectionOver(stream))
    return [near!, far!]
  }

  describe.each(framings)('a connection by %s', (_name, options) => {
    it('calls, and is told what fails', async () => {
      const [client, server] = connected(options)
      server.onRequest('sum', (a: number, b: number) => a + b)
      server.onRequest('fail', () => {
        throw new library.ResponseError(7, 'as it should', { why: [1] })
      })
      server.listen()
      client.listen()

      expect(await client.sendRequest('sum', 1, 2)).toBe(3)
      await expect(client.sendRequest('fail')).rejects.toMatchObject({ code: 7, data: { why: [1] } })
      await expect(client.sendRequest('unknown')).rejects.toMatchObject({ code: library.ErrorCodes.MethodNotFound })
    })

    it('carries large values, both ways, in order', async () => {
      const [client, server] = connected(options)
      const seen: number[] = []
      server.onRequest('echo', (value: { i: number; text: string }) => {
        seen.push(value.i)
        return value
      })
      server.listen()
      client.listen()

      const values = Array.from({ length: 60 }, (_, i) => ({ i, text: 'é'.repeat(i * i * 100) }))
      expect(await Promise.all(values.map((value) => client.sendRequest('echo', value)))).toEqual(values)
      expect(seen).toEqual(values.map(({ i }) => i))
    })

    it('cancels', async () => {
      const [client, server] = connected(options)
      let running = false
      server.onRequest('hang', (token: Library.CancellationToken) => {
        running = true
        return new Promise((resolve) => token.onCancellationRequested(() => resolve('cancelled')))
      })
      server.listen()
      client.listen()

      const source = new library.CancellationTokenSource()
      const answer = client.sendRequest('hang', source.token)
      await until(() => running)
      source.cancel()
      expect(await answer).toBe('cancelled')
    })

    it.each(['destroyed', 'ended', 'failing'] as const)('rejects what is pending when the peer has %s', async (how) => {
      const [stream, peer] = streamPair(options)
      const connection = connectionOver(stream)
      let closes = 0
      connection.onClose(() => closes++)
      connection.listen()
      const pending = connection.sendRequest('hang')
      peer.on('frame', () => {
        if (how === 'destroyed') peer.destroy()
        else if (how === 'ended') void peer.end()
        else peer.destroy(new Error('lost'))
      })

      await expect(pending).rejects.toMatchObject({ code: library.ErrorCodes.PendingResponseRejected })
      expect(closes).toBe(1)
      await stream.closed.catch(() => {})
      expect(() => connection.sendRequest('hang')).toThrow()
    })

    it('handles all that came before the end of the stream, and answers it', async () => {
      const [client, server] = streamPair(options)
      const connection = connectionOver(server)
      const seen: number[] = []
      connection.onRequest('note', async (i: number) => {
        seen.push(i)
        await new Promise(setImmediate)
        return i
      })
      const closed = new Promise<void>((resolve) => void connection.onClose(() => resolve()))
      const other = adapter.messageStreams(client)
      const answers: unknown[] = []
      other.reader.listen((message) => void answers.push((message as { result?: unknown }).result))
      const numbers = Array.from({ length: 300 }, (_, i) => i)
      await Promise.all(
        numbers.map((i) => other.writer.write({ jsonrpc: '2.0', id: i, method: 'note', params: [i] } as never)),
      )
      other.writer.end()
      connection.listen()

      await closed
      expect(seen).toEqual(numbers)
      await until(() => answers.length === numbers.length, 'an answer for each')
      expect(answers).toEqual(numbers)
    })

    it('hands over what came before the end, to who asked', async () => {
      const [stream, peer] = streamPair(options)
      const connection = connectionOver(stream)
      const asked = Array.from({ length: 50 }, () => '')
      connection.listen()
      const answers = asked.map((_, i) => connection.sendRequest('number', i))
      const { writer } = adapter.messageStreams(peer)
      await until(() => stream.stats.sent.frames === asked.length, 'fifty requests')
      for (const id of asked.keys()) await writer.write({ jsonrpc: '2.0', id, result: id } as never)
      writer.end()

      expect(await Promise.all(answers)).toEqual([...asked.keys()])
    })

    it('holds a peer back that sends faster than messages have their turn', async () => {
      const [stream, peer] = streamPair(options)
      const connection = connectionOver(stream)
      let handled = 0
      connection.onNotification('tick', () => void handled++)
      connection.listen()
      const { writer } = adapter.messageStreams(peer)
      const notification = { jsonrpc: '2.0', method: 'tick', params: ['x'.repeat(100)] } as never
      let most = 0
      for (let i = 0; i < 20_000; i++) {
        await writer.write(notification)
        if (i % 50 === 0) most = Math.max(most, stream.stats.received.frames - handled)
      }
      await until(() => handled === 20_000, 'every notification')

      expect(most).toBeLessThan(6000)
    })

    it('refuses what is over the limit at the call, and goes on', async () => {
      const [client, server] = connected({ ...options, maxPayload: 2000 })
      server.onRequest('echo', (value: string) => value)
      server.onRequest('grow', (value: string) => value.repeat(100))
      server.listen()
      client.listen()

      await expect(client.sendRequest('echo', 'x'.repeat(3000))).rejects.toMatchObject({
        code: library.ErrorCodes.MessageWriteError,
        message: expect.stringMatching(/payload of \d+ bytes/),
      })
      await expect(client.sendRequest('grow', 'x'.repeat(1000))).rejects.toMatchObject({
        code: library.ErrorCodes.InternalError,
        message: expect.stringMatching(/payload of \d+ bytes/),
      })
      expect(await client.sendRequest('echo', 'short')).toBe('short')
    })

    it('ends at a message that is none, with an error that says so', async () => {
      const [stream, peer] = streamPair(options)
      const connection = connectionOver(stream)
      const errors: Error[] = []
      connection.onError(([error]) => errors.push(error))
      connection.listen()
      const pending = connection.sendRequest('hang')
      peer.on('frame', () => {}).send(Buffer.from('\xc1 nothing'))

      await expect(pending).rejects.toMatchObject({ code: library.ErrorCodes.PendingResponseRejected })
      expect(errors).toMatchObject([{ name: 'RpcError', origin: 'remote' }])
    })

    it('goes on behind messages that the library refuses', async () => {
      const [stream, peer] = streamPair(options)
      const connection = connectionOver(stream)
      const errors: Error[] = []
      connection.onError(([error]) => errors.push(error))
      connection.onRequest('echo', (value: unknown) => value)
      connection.listen()
      const answers: unknown[] = []
      const { reader } = adapter.messageStreams(peer)
      reader.listen((message) => void answers.push(message))
      for (const message of [
        null,
        [],
        'text',
        { jsonrpc: '2.0', method: '$/cancelRequest' },
        { jsonrpc: '2.0', method: '$/cancelRequest', params: { id: null } },
        { jsonrpc: '2.0', id: 5, result: 'nobody asked' },
        { jsonrpc: '2.0', id: 1, method: 'echo', params: ['still here'] },
      ]) {
        peer.send(options.codec === pillion() ? packValue(message).payload : Buffer.from(JSON.stringify(message)))
      }
      await until(() => answers.length === 1, 'the answer')

      expect(answers).toMatchObject([{ id: 1, result: 'still here' }])
      expect(errors.map(({ name }) => name)).toEqual(['RpcError', 'RpcError'])
    })
  })

  describe('descriptors', () => {
    it('are an error at the call where messages are JSON, wherever they stand', async () => {
      const [client, server] = connected({ codec: contentLength() })
      server.onRequest('open', () => ({ files: [named('result')] }))
      server.onRequest('echo', (value: unknown) => value)
      server.listen()
      client.listen()
      using file = named('one')

      for (const params of [file, [file], { deep: [{}, { file }] }]) {
        await expect(client.sendRequest('echo', params)).rejects.toMatchObject({
          code: library.ErrorCodes.MessageWriteError,
          message: expect.stringContaining('a Descriptor cannot travel in JSON'),
        })
      }
      await expect(client.sendRequest('open')).rejects.toMatchObject({
        message: expect.stringContaining('result.files.0: a Descriptor cannot travel in JSON'),
      })
      expect(await client.sendRequest('echo', { empty: {} })).toEqual({ empty: {} })
    })

    it('are found where messages are JSON also behind a toJSON, in a Map, and beside a cycle', async () => {
      const [client, server] = connected({ codec: contentLength() })
      const results: Record<string, (file: Descriptor) => unknown> = {
        map: (file) => ({ files: new Map([[1, { file }]]) }),
        bigint: (file) => ({ file, size: 1n }),
        accessor: (file) => ({
          file,
          get size() {
            throw new Error('no size')
          },
        }),
      }
      const opened: Descriptor[] = []
      server.onRequest('open', (how: string) => {
        const file = named(how)
        opened.push(file)
        return results[how]?.(file)
      })
      server.onRequest('echo', (value: unknown) => value)
      server.listen()
      client.listen()
      using file = named('one')
      class Hiding {
        readonly #file = file
        toJSON() {
          return { inside: this.#file }
        }
      }
      class Circular {
        readonly self = this
        readonly empty = {}
        toJSON() {
          return { empty: this.empty }
        }
      }
      const cyclic = new Map<string, unknown>([['size', 1n]])
      cyclic.set('self', cyclic)

      for (const [params, place] of [
        [new Map([[1, file]]), 'params.0.1'],
        [{ files: new Set([[file]]) }, 'params.files.0.0'],
        [new Hiding(), 'params.inside'],
        [[{ hiding: new Hiding() }], 'params.0.0.hiding.inside'],
      ] as const) {
        const message = expect.stringContaining(`${place}: a Descriptor cannot travel in JSON`)
        await expect(client.sendRequest('echo', params)).rejects.toMatchObject({ message })
      }
      expect(await client.sendRequest('echo', new Circular())).toEqual({ empty: {} })
      expect(await client.sendRequest('echo', { cyclic })).toEqual({ cyclic: {} })
      for (const how of Object.keys(results)) await expect(client.sendRequest('open', how)).rejects.toThrow()
      expect(opened.map(({ closed }) => closed)).toEqual([true, true, true])
    })

    it('travel in params and results; params stay the caller’s and are closed behind the call', async () => {
      const [client, server] = connected({ codec: pillion() })
      const held: Descriptor[] = []
      server.onRequest('names', ({ files }: { files: Descriptor[] }) => {
        held.push(...files)
        return files.map(nameOf)
      })
      server.onRequest('open', (name: string) => ({ file: named(name) }))
      server.onRequest('back', (file: Descriptor) => file)
      server.listen()
      client.listen()
      using one = named('one')
      using two = named('two')

      expect(await client.sendRequest('names', { files: [one, two] })).toEqual(['one', 'two'])
      await until(() => held.every(({ closed }) => closed), 'the end of the call')
      const { file } = (await client.sendRequest('open', 'three')) as { file: Descriptor }
      expect(nameOf(file)).toBe('three')
      file.close()
      const back = (await client.sendRequest('back', one)) as Descriptor
      expect([nameOf(back), one.closed]).toEqual(['one', false])
      back.close()
    })

    it('that nobody takes are closed: of calls and notifications without a handler, of answers without a question', async () => {
      const [stream, peer] = streamPair({ codec: pillion() })
      const connection = connectionOver(stream)
      connection.onRequest('ready', () => true)
      connection.listen()
      const client = adapter.messageStreams(peer)
      const answered: unknown[] = []
      client.reader.listen((message) => void answered.push((message as { id?: unknown }).id))
      const before = openFiles()
      for (const message of [
        { id: 1, method: 'unknown', params: [named('1')] },
        { method: 'unknown', params: [named('2')] },
        { id: 99, result: named('3') },
        { id: 4, method: 'ready', params: [] },
      ]) {
        await client.writer.write({ jsonrpc: '2.0', ...message } as never)
        if ('params' in message) for (const file of message.params) (file as Descriptor).close()
      }
      await until(() => answered.length === 2, 'two answers')

      expect(answered).toEqual([1, 4])
      await until(() => openFiles() === before, 'no more files than before')
    })

    it('of messages that still wait when the connection is disposed of are closed', async () => {
      const [stream, peer] = streamPair({ codec: pillion() })
      const connection = connectionOver(stream)
      connection.onNotification('first', () => connection.dispose())
      const before = openFiles()
      const { writer } = adapter.messageStreams(peer)
      const files = Array.from({ length: 20 }, (_, i) => named(i))
      await writer.write({ jsonrpc: '2.0', method: 'first' } as never)
      for (const file of files) await writer.write({ jsonrpc: '2.0', method: 'later', params: [file] } as never)
      for (const file of files) file.close()
      connection.listen()

      await until(() => stream.stats.received.frames === 21, 'all messages')
      await until(() => openFiles() === before, 'no more files than before')
    })

    it('are an error at the call where the peer takes none', async (context) => {
      needs(context, { kernel: '6.16' })
      const [near, far] = pairWith({ codec: pillion() }, { codec: pillion(), acceptDescriptors: false })
      const [client, server] = [connectionOver(near), connectionOver(far)]
      server.onRequest('echo', (value: unknown) => value)
      client.onRequest('open', () => named('result'))
      server.listen()
      client.listen()
      using file = named('one')

      await expect(client.sendRequest('echo', [file])).rejects.toThrow('the peer refuses descriptors')
      await expect(server.sendRequest('open')).rejects.toThrow('the peer refuses descriptors')
      await expect(client.sendNotification('note', [file])).rejects.toMatchObject({ code: 'ERR_PILLION_PERMISSION' })
      expect(await client.sendRequest('echo', 'still here')).toBe('still here')
    })
  })

  jsonRpcTurns(library, adapter)

  it('refuses a stream of another codec', () => {
    const [stream] = streamPair({ codec: varlink() })
    expect(() => adapter.messageStreams(stream)).toThrow('not for varlink')
    expect(() => adapter.createMessageConnection(stream)).toThrow('contentLength() and pillion()')
  })

  it('writes what other implementations read', async () => {
    const [stream, peer] = streamPair({ codec: contentLength() })
    const { writer } = adapter.messageStreams(stream)
    await writer.write({ jsonrpc: '2.0', id: 1, method: 'm' } as never)
    for await (const { payload } of peer) {
      expect(text(payload)).toBe('{"jsonrpc":"2.0","id":1,"method":"m"}')
      break
    }
  })
}
