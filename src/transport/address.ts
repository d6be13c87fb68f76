/**
 * Addresses: what users write, and the bytes that the kernel takes for it (sun_path of unix(7)).
 *
 * Pure but for the Descriptor class; makes no system call and does not look whether anything lives at an address.
 */
import { shown } from '../arguments.js'
import { UsageError } from '../errors.js'
import { Descriptor } from './descriptor.js'

/**
 * Where a Unix socket is: a path (`'@name'` is short for an abstract name), an abstract name, which lives in the network
 * namespace and is no file, or a descriptor that this process was given.
 */
export type Address =
  | string
  | { readonly path: string }
  | { readonly abstract: string }
  | { readonly fd: number | Descriptor }

export type ParsedAddress = PathAddress | AbstractAddress | FdAddress

export interface PathAddress {
  readonly kind: 'path'
  readonly path: string
  readonly bytes: Uint8Array
  readonly text: string
}

export interface AbstractAddress {
  readonly kind: 'abstract'
  readonly bytes: Uint8Array
  readonly text: string
}

export interface FdAddress {
  readonly kind: 'fd'
  readonly fd: number | Descriptor
  readonly text: string
}

/** sun_path has 108 bytes; a path needs one for its NUL, an abstract name one for the NUL in front of it. */
const longestAddress = 107

/** Throws UsageError for what can never be an address. Those who connect anew share what the same text came to. */
export function parseAddress(address: Address): ParsedAddress {
  if (typeof address === 'string') {
    if (latest?.given !== address) latest = { given: address, parsed: parseText(address) }
    return latest.parsed
  }
  const { path, abstract, fd } = asRecord(address)
  if ([path, abstract, fd].filter((part) => part !== undefined).length === 1) {
    if (typeof path === 'string') return parsePath(path)
    if (typeof abstract === 'string') return parseAbstract(abstract)
    if (fd instanceof Descriptor || (typeof fd === 'number' && Number.isInteger(fd) && fd >= 0)) {
      return { kind: 'fd', fd, text: formatAddress({ fd }) }
    }
  }
  throw new UsageError(`an address is a path, '@name', { path }, { abstract } or { fd }, not ${shown(address)}`)
}

let latest: { readonly given: string; readonly parsed: ParsedAddress } | undefined

/** The address as errors name it: the path, '@name', 'fd 3'. Control characters are escaped. Never throws. */
export function formatAddress(address: Address): string {
  if (typeof address === 'string') return printable(address)
  const { path, abstract, fd } = asRecord(address)
  if (typeof path === 'string') return printable(path.startsWith('@') ? `./${path}` : path)
  if (typeof abstract === 'string') return printable(`@${abstract}`)
  if (fd instanceof Descriptor) return fd.closed ? 'a closed descriptor' : `fd ${fd.fd}`
  return `fd ${typeof fd === 'number' ? fd : shown(fd)}`
}

/**
 * The address in the kernel's bytes of it (`SocketState.name`), as one can be connected to. undefined where there is
 * none, or where it is no text.
 */
export function addressOfName(name: Uint8Array): string | undefined {
  if (name.length === 0) return undefined
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(name)
  } catch {
    return undefined // another process bound it: a path may be any bytes, and an Address cannot
  }
  if (text.startsWith('\0')) return `@${text.slice(1)}`
  return text.startsWith('@') ? `./${text}` : text
}

function parseText(text: string): ParsedAddress {
  return text.startsWith('@') ? parseAbstract(text.slice(1)) : parsePath(text)
}

function parsePath(path: string): PathAddress {
  const text = formatAddress({ path })
  if (path.includes('\0')) throw new UsageError(`the path of a socket has no NUL in it: ${text}`)
  const bytes = encode(path, text)
  if (bytes.length === 0) throw new UsageError('the path of a socket is not empty')
  if (bytes.length > longestAddress) {
    throw new UsageError(
      `a socket's path has at most ${longestAddress} bytes, and this one has ${bytes.length}: ${text}; use a shorter one, ` +
        'one relative to the working directory, an abstract name, or { fd }',
    )
  }
  return { kind: 'path', path, bytes, text }
}

function parseAbstract(name: string): AbstractAddress {
  const text = formatAddress({ abstract: name })
  const bytes = encode(`\0${name}`, text)
  if (bytes.length === 1) throw new UsageError('an abstract name is not empty')
  if (bytes.length > longestAddress + 1) {
    throw new UsageError(
      `an abstract name has at most ${longestAddress} bytes, and this one has ${bytes.length - 1}: ${text}; use a shorter one`,
    )
  }
  return { kind: 'abstract', bytes, text }
}

function encode(text: string, shown: string): Uint8Array {
  // The encoder would put U+FFFD in its place: another address than the one asked for.
  if (/\p{Surrogate}/u.test(text)) throw new UsageError(`half a surrogate pair has no UTF-8 form: ${shown}`)
  return new TextEncoder().encode(text)
}

function printable(text: string): string {
  const escaped = (character: string) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  return text.replace(/[\x00-\x1f\x7f]/g, escaped)
}

/** Callers in JavaScript pass anything. */
function asRecord(address: unknown): { readonly path?: unknown; readonly abstract?: unknown; readonly fd?: unknown } {
  return typeof address === 'object' && address !== null ? address : {}
}
