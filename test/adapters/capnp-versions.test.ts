/** Versions of the Cap'n Proto libraries that lack what the adapters replace. */
import * as capnpEs from 'capnp-es'
import * as capnpTs from 'capnp-ts'
import { expect, it, onTestFinished } from 'vitest'
import { FrameConn } from '../../src/adapters/capnp-es/index.js'
import { createConn } from '../../src/adapters/capnp-ts/index.js'
import { capnp } from '../../src/framing/index.js'
import { streamPair } from '../support/streams.js'

it.each([
  ['capnp-es', capnpEs.Conn.prototype, 'insertAnswer', (stream) => new FrameConn(stream), '0.0.16'],
  ['capnp-ts', capnpTs.Conn.prototype, 'handleCall', (stream) => createConn(stream), '0.9.2 or 0.9.3'],
] satisfies [string, object, string, (stream: ReturnType<typeof streamPair>[0]) => unknown, string][])(
  'of %s are a UsageError that says which are supported',
  (library, prototype, name, connect, versions) => {
    const [stream] = streamPair({ codec: capnp() })
    const part = Object.getOwnPropertyDescriptor(prototype, name)!
    Reflect.deleteProperty(prototype, name)
    onTestFinished(() => void Object.defineProperty(prototype, name, part))
    expect(() => connect(stream)).toThrow(
      expect.objectContaining({
        name: 'UsageError',
        message: `this version of ${library} has no Conn.${name}: ${versions} is supported`,
      }),
    )
  },
)
