/**
 * Where an answer may hold descriptors: where comlink hands them to the caller, whose they are then. Elsewhere in it they would
 * be nobody's, and open until they are collected.
 */
import { isPlain } from '../link/plain.js'
import { seenByNobody } from '../link/unwanted.js'
import type { Message } from './messages.js'

/**
 * Throws RpcError of origin `remote` for an answer with descriptors that nobody would see.
 * @param handlers comlink's: what a value is for one of the program's own is up to that
 */
export function checkHolder(answer: Message, handlers: { has(name: string): boolean }): void {
  const { type, name, value } = answer
  const seen =
    type === 'RAW'
      ? isPlain(answer, ['id', 'type', 'value'])
      : type === 'HANDLER' && isPlain(answer, ['id', 'type', 'name', 'value']) && isHeld(name, value, handlers)
  if (!seen) throw seenByNobody()
}

function isHeld(name: unknown, value: unknown, handlers: { has(name: string): boolean }): boolean {
  if (name === 'proxy') return false // a port alone
  if (name !== 'throw') return typeof name === 'string' && handlers.has(name)
  if (!isPlain(value, ['isError', 'value'])) return false
  // Of an error, comlink copies the properties.
  return value.isError ? isPlain(value.value) : true
}
