/**
 * What may be in a message: gRPC has no place for descriptors, and a service's own serialization may pass over one without a word.
 */
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js'
import { UsageError } from '../../errors.js'
import { Descriptor } from '../../transport/index.js'

/**
 * The same service, for server and client, whose calls fail when there is a Descriptor anywhere in a request or an answer:
 * INTERNAL, with the place in the message. The descriptor stays the caller's. Messages are otherwise as they were.
 */
export function withoutDescriptors<Service extends ServiceDefinition>(service: Service): Service {
  const methods = Object.entries(service).map(([name, method]) => [name, checkedMethod(method)])
  return Object.fromEntries(methods) as Service
}

function checkedMethod<Request, Response>(
  method: MethodDefinition<Request, Response>,
): MethodDefinition<Request, Response> {
  const { requestSerialize, responseSerialize } = method
  return {
    ...method,
    requestSerialize(request) {
      refuseDescriptors(request, 'request', new Set())
      return requestSerialize(request)
    },
    responseSerialize(response) {
      refuseDescriptors(response, 'response', new Set())
      return responseSerialize(response)
    },
  }
}

function refuseDescriptors(value: unknown, place: string, seen: Set<object>): void {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || seen.has(value)) return
  if (value instanceof Descriptor) throw new UsageError(`${place}: gRPC carries no descriptors`)
  seen.add(value)
  for (const [key, part] of Object.entries(value)) refuseDescriptors(part, `${place}.${key}`, seen)
}
