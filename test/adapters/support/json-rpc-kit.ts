/** The kit for authors, over the vscode-jsonrpc adapter with either major version of the library, in both framings. */
import { describe, it } from 'vitest'
import { type CallAdapter, type CallEnd, callCases } from '../../../src/adapters/testing/index.js'
import type * as Adapter from '../../../src/adapters/vscode-jsonrpc/index.js'
import { contentLength, pillion } from '../../../src/framing/index.js'
import { packValue, unpackValue } from '../../../src/rpc/index.js'
import type { Descriptor, FrameStream } from '../../../src/stream/index.js'

export function jsonRpcKit({ createMessageConnection }: typeof Adapter): void {
  function endOf(stream: FrameStream, service: object): CallEnd {
    const connection = createMessageConnection(stream)
    for (const [name, method] of Object.entries(service)) {
      const run = (args: unknown[]) => method(...args)
      connection.onRequest(name, run)
      connection.onNotification(name, run)
    }
    connection.listen()
    return {
      call: (method, ...args) => connection.sendRequest(method, args),
      tell: (method, ...args) => void connection.sendNotification(method, args).catch(() => {}), // at the end it says so
      close: () => connection.dispose(),
    }
  }

  describe.each([
    ['contentLength()', { codec: contentLength(), maxDescriptors: 1 }, 'refused', inJson],
    ['pillion()', { codec: pillion() }, 'carried', inMessagePack],
  ] as const)('the kit, by %s', (_name, streamOptions, descriptors, answering) => {
    const cases = callCases({
      streamOptions,
      descriptors,
      hostile: [
        '{"jsonrpc":"2.0","method":"$/cancelRequest"}',
        '{"jsonrpc":"2.0","id":0,"result":1}',
        '{"jsonrpc":"2.0","id":"__proto__","method":"constructor","params":{"__proto__":1}}',
      ].map((text) => Buffer.from(text)),
      hostileAnswers: answers.map(answering),
      attach: endOf,
      attachClient: (stream) => endOf(stream, {}),
    })
    for (const { name, run } of cases) it(name, run)
  })
}

type Answer = (id: unknown, file: Descriptor) => object

const answers: readonly Answer[] = [
  (id, file) => ({ jsonrpc: '2.0', id, result: file }),
  (id, file) => ({ jsonrpc: '2.0', id, result: 1, junk: file }),
  (id, file) => ({ jsonrpc: '2.0', id, junk: file }),
  (id, file) => ({ jsonrpc: '2.0', id, result: file, error: { code: 1, message: 'x' } }),
  (id, file) => ({ jsonrpc: '2.0', id, error: { code: 1, message: 'x', data: { file } } }),
  (id, file) => ({ jsonrpc: '2.0', id, error: { code: 1, message: 'x', junk: file } }),
  (id, file) => ({ jsonrpc: '2.0', id, error: { code: file, message: 'x' } }),
  (id, file) => ({ jsonrpc: '2.0', id, error: [file] }),
  (_id, file) => ({ jsonrpc: '2.0', id: null, method: 'echo', result: file }),
  (_id, file) => ({ jsonrpc: '2.0', id: 'nobody', result: file }),
  (id, file) => ({ jsonrpc: '2.0', id: String(id), result: file }), // the same place in the library's queue
]

type HostileAnswer = NonNullable<CallAdapter['hostileAnswers']>[number]

/** Where the file stands is `{}`; it comes beside the text. */
function inJson(answer: Answer): HostileAnswer {
  return (call, file) => {
    const { id } = JSON.parse(Buffer.from(call).toString()) as { id: unknown }
    return { payload: Buffer.from(JSON.stringify(answer(id, file))), descriptors: [file.dup()] }
  }
}

function inMessagePack(answer: Answer): HostileAnswer {
  return (call, file) => {
    const { id } = unpackValue({ payload: call, descriptors: [], lost: 0 }).value as { id: unknown }
    const { payload, descriptors } = packValue(answer(id, file))
    const head = packValue([id, undefined]).payload
    const length = Buffer.alloc(4)
    length.writeUInt32LE(head.length)
    return { payload: [length, head, payload], descriptors }
  }
}
