/** A service of all four kinds of calls, its messages as JSON, so that no compiler of protocols is needed. */

import type { ClientDuplexStream, ClientReadableStream, ClientWritableStream, ServiceDefinition } from '@grpc/grpc-js'
import { type ChannelOptions, credentials, makeGenericClientConstructor, type ServiceError } from '@grpc/grpc-js'
import { withoutDescriptors } from '../../../src/adapters/grpc-js/index.js'

const bytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
const value = (buffer: Buffer): unknown => JSON.parse(buffer.toString())

function method(name: string, requestStream: boolean, responseStream: boolean) {
  const serializing = { requestSerialize: bytes, responseSerialize: bytes }
  const path = `/test.Test/${name}`
  return {
    ...serializing,
    path,
    requestStream,
    responseStream,
    requestDeserialize: value,
    responseDeserialize: value,
  }
}

export const service: ServiceDefinition = withoutDescriptors({
  whoAmI: method('WhoAmI', false, false),
  echo: method('Echo', false, false),
  count: method('Count', false, true),
  sum: method('Sum', true, false),
  double: method('Double', true, true),
})

type Done = (error: ServiceError | null, answer?: unknown) => void

/** With a connection of its own, which `close` ends. */
export interface TestClient {
  close(): void
  whoAmI(request: unknown, done: Done): void
  echo(request: unknown, done: Done): void
  count(to: number): ClientReadableStream<number>
  sum(done: Done): ClientWritableStream<number>
  double(): ClientDuplexStream<number, number>
}

export function clientOf(path: string, options: ChannelOptions = {}): TestClient {
  const Client = makeGenericClientConstructor(service, 'Test')
  const own = { 'grpc.use_local_subchannel_pool': 1, ...options }
  return new Client(`unix:${path}`, credentials.createInsecure(), own) as unknown as TestClient
}

export function ask(client: TestClient, name: 'whoAmI' | 'echo', request: unknown = {}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    client[name](request, (error, answer) => (error === null ? resolve(answer) : reject(error)))
  })
}
