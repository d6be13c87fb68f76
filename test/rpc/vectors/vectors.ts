/**
 * The test vectors of the RPC protocol, for this suite and for whoever writes another implementation. In messages.json,
 * bytes (`content`, `detail`, the `message` of an echo) are hexadecimal.
 */
import { readFileSync } from 'node:fs'
import type { Message } from '../../../src/rpc/machine/messages.js'

export interface Invalid {
  readonly hex: string
  /** A part of what the error says. */
  readonly reason: string
}

export interface MessageVector {
  readonly name: string
  readonly hex: string
  readonly message: Message
}

export interface ValueVector {
  /** A JavaScript expression (expressions.ts). */
  readonly value: string
  readonly hex: string
}

export const messageVectors = read('messages.json', (key, value) =>
  typeof value === 'string' && (key === 'content' || key === 'detail' || key === 'message') ? bytesOf(value) : value,
) as { readonly messages: readonly MessageVector[]; readonly invalid: readonly Invalid[] }

export const valueVectors = read('values.json') as {
  readonly values: readonly ValueVector[]
  readonly invalid: readonly Invalid[]
}

export function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'))
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function read(file: string, revive?: (key: string, value: unknown) => unknown): unknown {
  return JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8'), revive)
}
