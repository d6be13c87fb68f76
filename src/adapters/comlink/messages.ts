/**
 * The outer form of comlink's messages: which are calls, where their values are, and what a hostile peer may not ask for.
 * comlink follows any path that it is given, and looks at nothing.
 */
import { RpcError } from '../../rpc/index.js'

/** A message of comlink's. */
export type Message = Readonly<Record<string, unknown>>

export interface Frame {
  readonly channel: number
  readonly message: Message
  /** Of the proxies in it: the place among its values, and the channel, in turn. */
  readonly proxies: readonly number[]
}

const calls = new Set<unknown>(['GET', 'SET', 'APPLY', 'CONSTRUCT', 'ENDPOINT', 'RELEASE'])

/** A call; else it is an answer. */
export function isCall({ type }: Message): boolean {
  return calls.has(type)
}

/** The values in a message, each in its wrapping, in a fixed order. */
export function wireValuesOf(message: Message): unknown[] {
  if (Array.isArray(message.argumentList)) return message.argumentList
  return [message.type === 'SET' ? message.value : message]
}

/** Throws RpcError of origin `remote` for what no adapter sends. */
export function checkedFrame(value: unknown): Frame {
  const [channel, message, proxies = []] = Array.isArray(value) ? (value as readonly unknown[]) : []
  if (!Number.isSafeInteger(channel) || !isObject(message) || typeof message.id !== 'string' || !isEven(proxies)) {
    throw new RpcError('failed', 'what came is no message of comlink', { origin: 'remote' })
  }
  const places = wireValuesOf(message)
  for (let i = 0; i < proxies.length; i += 2) {
    if (isObject(places[proxies[i]!]) && proxies[i + 1]! > 0) continue
    throw new RpcError('failed', 'a proxy is nowhere in its message', { origin: 'remote' })
  }
  return { channel: channel as number, message, proxies }
}

const prototypeNames = new Set<unknown>([...Object.getOwnPropertyNames(Object.prototype), 'prototype'])

/** Why the call is not made, if so. */
export function refusalOf({ type, path = [] }: Message): Error | undefined {
  if (type === 'ENDPOINT') return refused('an endpoint is made by its caller')
  if (!Array.isArray(path)) return refused('a path that is none')
  for (const name of path) {
    if (typeof name !== 'string') return refused('a path that is none')
    if (prototypeNames.has(name)) return refused(`${name} cannot be reached from another process`)
  }
  return undefined
}

function refused(what: string): RpcError {
  return new RpcError('failed', what, { origin: 'remote' })
}

/** An answer that throws, as comlink writes it: what an error says of itself. */
export function throwing(id: unknown, thrown: unknown): Message {
  const { name = 'Error', message = thrown, code } = (thrown instanceof Error ? thrown : {}) as NodeJS.ErrnoException
  const value = { name: String(name), message: String(message).slice(0, 1000), ...(code === undefined ? {} : { code }) }
  return { id, type: 'HANDLER', name: 'throw', value: { isError: true, value } }
}

/** An answer within this process: the error itself is thrown. */
export function throwingItself(id: unknown, error: Error): Message {
  return { id, type: 'HANDLER', name: 'throw', value: { isError: false, value: error } }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

function isEven(value: unknown): value is number[] {
  return Array.isArray(value) && value.length % 2 === 0 && value.every((item) => Number.isSafeInteger(item))
}
