/**
 * The outer form of comlink's messages: which are calls, where their values are, and what a hostile peer may not ask for.
 * comlink follows any path that it is given, and looks at nothing.
 */
import { RpcError } from '../../rpc/index.js'
import { errorParts } from '../link/error-parts.js'
import { isPlain } from '../link/plain.js'

/** A message of comlink's. */
export type Message = Readonly<Record<string, unknown>>

/**
 * What a frame is. Channel 0 is the endpoint; others are numbered by who passes the object, from 1 on, and negative when its
 * receiver writes them. Of each proxy in the message: its place among the values, and its channel.
 */
export type Frame = readonly [channel: number, message: Message, proxies?: readonly number[]]

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

/**
 * Throws RpcError of origin `remote` for what no adapter sends. By its id alone an answer is known: that of a second call of an
 * id would close what the first one came with. A release has none from here on, since nobody waits for its answer.
 * @param running ids of calls that are not answered yet
 */
export function checkedFrame(value: unknown, running: ReadonlySet<unknown>): Frame {
  const [channel, message, proxies] = Array.isArray(value) ? (value as readonly unknown[]) : []
  if (!Number.isSafeInteger(channel) || !isPlain(message) || typeof message.id !== 'string') {
    throw new RpcError('failed', 'what came is no message of comlink', { origin: 'remote' })
  }
  if (proxies !== undefined && !areIn(message, proxies)) {
    throw new RpcError('failed', 'a proxy is nowhere in its message', { origin: 'remote' })
  }
  if (message.type === 'RELEASE') message.id = ''
  else if (isCall(message) && (message.id === '' || running.has(message.id))) {
    throw new RpcError('failed', 'a call has the id of another one', { origin: 'remote' })
  }
  return value as Frame
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

/** An answer that throws, as comlink writes it. */
export function throwing(id: unknown, thrown: unknown): Message {
  return { id, type: 'HANDLER', name: 'throw', value: { isError: true, value: errorParts(thrown) } }
}

/** An answer within this process: the error itself is thrown. */
export function throwingItself(id: unknown, error: Error): Message {
  return { id, type: 'HANDLER', name: 'throw', value: { isError: false, value: error } }
}

/** Whether each place is one, once, and each channel somebody else's. What is written there is written to the values alone. */
function areIn(message: Message, proxies: unknown): boolean {
  if (!Array.isArray(proxies) || proxies.length % 2 !== 0) return false
  const values = wireValuesOf(message)
  const places = new Set<unknown>()
  for (let i = 0; i < proxies.length; i += 2) {
    const place: unknown = proxies[i]
    const channel: unknown = proxies[i + 1]
    if (!isIndex(place, values.length) || !isVacant(values[place])) return false
    if (!Number.isSafeInteger(channel) || (channel as number) <= 0) return false
    places.add(place)
  }
  return places.size === proxies.length / 2
}

/** A port is put there, and what it would replace would be nobody's. */
function isVacant(wrapping: unknown): boolean {
  return isPlain(wrapping) && (wrapping.value === null || wrapping.value === undefined)
}

/** No name that leads from an array to its prototype, whose properties every array of the process has. */
function isIndex(place: unknown, length: number): place is number {
  return Number.isSafeInteger(place) && (place as number) >= 0 && (place as number) < length
}
