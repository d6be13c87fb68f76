/** @grpc/grpc-js over a Unix socket; the message is the text's bytes, without protobuf around it. */
import {
  credentials,
  makeGenericClientConstructor,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceError,
  type sendUnaryData,
} from '@grpc/grpc-js'
import { makeCalls } from '../roles/calls.js'

const service = {
  echo: {
    path: '/bench.Bench/Echo',
    requestStream: false,
    responseStream: false,
    requestSerialize: bytesOf,
    requestDeserialize: textOf,
    responseSerialize: bytesOf,
    responseDeserialize: textOf,
  },
} as const

await makeCalls({
  listen: ({ path }) =>
    new Promise((resolve, reject) => {
      const server = new Server()
      server.addService(service, {
        echo: ({ request }: ServerUnaryCall<string, string>, callback: sendUnaryData<string>) =>
          callback(null, request),
      })
      server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) => {
        if (error === null) resolve()
        else reject(error)
      })
    }),
  connect: async ({ path }) => {
    const Client = makeGenericClientConstructor(service, 'Bench')
    const client = new Client(`unix:${path}`, credentials.createInsecure())
    await new Promise<void>((resolve, reject) => {
      client.waitForReady(Date.now() + 10_000, (error) => (error === undefined ? resolve() : reject(error)))
    })
    return {
      echo: (text) =>
        new Promise((resolve, reject) => {
          ;(client.echo as Echo)(text, (error, answer) => (error === null ? resolve(answer ?? '') : reject(error)))
        }),
    }
  },
})

type Echo = (text: string, callback: (error: ServiceError | null, answer?: string) => void) => void

function bytesOf(text: string): Buffer {
  return Buffer.from(text)
}

function textOf(bytes: Buffer): string {
  return bytes.toString()
}
