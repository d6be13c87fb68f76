/** The newest vscode-jsonrpc, between real processes too, and beneath a language server that knows nothing of it. */

import { describe, expect, it, onTestFinished } from 'vitest'
import * as library from 'vscode-jsonrpc/node'
import {
  createConnection,
  createProtocolConnection,
  DidOpenTextDocumentNotification,
  HoverRequest,
  type InitializeParams,
  InitializeRequest,
  PublishDiagnosticsNotification,
  ShutdownRequest,
} from 'vscode-languageserver/node'
import * as adapter from '../../src/adapters/vscode-jsonrpc/index.js'
import { contentLength, pillion } from '../../src/framing/index.js'
import { named, streamPair } from '../support/streams.js'
import { childStream } from './support/child-stream.js'
import { jsonRpcKit } from './support/json-rpc-kit.js'
import { jsonRpcScenarios } from './support/json-rpc-scenarios.js'
import { passThousandEachWay } from './support/thousand-descriptors.js'

describe('with vscode-jsonrpc 10', () => {
  jsonRpcScenarios(library, adapter)
  jsonRpcKit(adapter)
})

describe('between processes', () => {
  function childConnection(limit?: number): library.MessageConnection {
    const stream = childStream('json-rpc.ts', { codec: pillion(), ...(limit === undefined ? {} : { limit }) })
    const connection = adapter.createMessageConnection(stream)
    onTestFinished(() => connection.dispose())
    return connection
  }

  it('a thousand descriptors go each way, each to its own call, and none stays', async () => {
    const connection = childConnection()
    connection.listen()
    await passThousandEachWay((method, ...params) => connection.sendRequest(method, ...params))
  })

  it('a descriptor that is lost fails its call alone, in both directions', async () => {
    const connection = childConnection(128)
    connection.onRequest('open', (names: string[]) => names.map(named))
    connection.listen()
    const names = Array.from({ length: 20 }, (_, i) => `file ${i}`)
    const files = names.map(named)
    await connection.sendRequest('fill', 5)

    const short = connection.sendRequest('names', files)
    const beside = connection.sendRequest('names', [])
    await expect(short).rejects.toMatchObject({ data: { code: 'ERR_PILLION_DESCRIPTOR_LOST' } })
    expect(await beside).toEqual([])
    expect(await connection.sendRequest('fetch', names)).toEqual({ code: 'ERR_PILLION_DESCRIPTOR_LOST' })
    await connection.sendRequest('empty')
    expect(await connection.sendRequest('names', files)).toEqual(names)
    expect(await connection.sendRequest('fetch', names)).toEqual(names)
    for (const file of files) file.close()
  })
})

describe.each([contentLength(), pillion()])('a language server by $name()', (codec) => {
  it('runs unchanged, with a client that is a plain protocol connection', async () => {
    const [near, far] = streamPair({ codec })
    const ours = adapter.messageStreams(far)
    const server = createConnection(ours.reader, ours.writer, ours.options)
    server.onInitialize(() => ({ capabilities: { hoverProvider: true, textDocumentSync: 1 } }))
    server.onDidOpenTextDocument(({ textDocument: { uri, text } }) => {
      const range = { start: { line: 0, character: 0 }, end: { line: 0, character: text.length } }
      void server.sendDiagnostics({ uri, diagnostics: [{ range, message: `${text.length} characters` }] })
    })
    server.onHover(({ position }) => ({ contents: `at ${position.line}` }))
    server.listen()

    const theirs = adapter.messageStreams(near)
    const client = createProtocolConnection(theirs.reader, theirs.writer, undefined, theirs.options)
    client.onClose(() => client.dispose())
    const diagnosed = new Promise<string[]>((resolve) => {
      client.onNotification(PublishDiagnosticsNotification.type, ({ diagnostics }) => {
        resolve(diagnostics.map(({ message }) => String(message)))
      })
    })
    client.listen()
    const params: InitializeParams = { processId: null, rootUri: null, capabilities: {} }
    const { capabilities } = await client.sendRequest(InitializeRequest.type, params)
    expect(capabilities.hoverProvider).toBe(true)
    const document = { uri: 'file:///a', languageId: 'text', version: 1, text: 'ä'.repeat(100_000) }
    await client.sendNotification(DidOpenTextDocumentNotification.type, { textDocument: document })
    expect(await diagnosed).toEqual(['100000 characters'])
    const position = { line: 3, character: 0 }
    const hover = await client.sendRequest(HoverRequest.type, { textDocument: { uri: 'file:///a' }, position })
    expect(hover).toMatchObject({ contents: 'at 3' })
    await client.sendRequest(ShutdownRequest.type)

    const pending = client.sendRequest('unknown/hangs')
    far.destroy()
    await expect(pending).rejects.toMatchObject({ code: library.ErrorCodes.PendingResponseRejected })
  })
})

it('sends what was written in a turn that others follow, though the connection is disposed of in it', async () => {
  const [left, right] = streamPair()
  const asking = adapter.createMessageConnection(left)
  const answering = adapter.createMessageConnection(right)
  const heard: string[] = []
  asking.onNotification('last', (text: string) => void heard.push(text))
  answering.onNotification('first', () => {
    void answering.sendNotification('last', 'words')
    answering.dispose()
  })
  asking.listen()
  answering.listen()
  for (let i = 0; i < 20; i++) void asking.sendNotification('first')
  await expect.poll(() => heard).toEqual(['words'])
  await expect.poll(() => right.destroyed).toBe(true)
  asking.dispose()
  left.destroy()
})
