/**
 * Of the libraries in this folder's package.json, what the bench uses: it type-checks whether they are installed or not.
 */
declare module 'usocket' {
  import type { EventEmitter } from 'node:events'
  import type { Duplex } from 'node:stream'

  interface Chunk {
    readonly data: Buffer
    readonly fds?: readonly number[]
    readonly callback?: () => void
  }

  export class USocket extends Duplex {
    constructor(options?: { path: string } | { fd: number }, onConnected?: () => void)
    write(chunk: Buffer | Chunk, callback?: ((error?: Error | null) => void) | undefined): boolean
    read(size?: number): Buffer | null
    read(size: number | null | undefined, descriptors: number | null): { data: Buffer | null; fds: number[] } | null
  }

  export class UServer extends EventEmitter {
    listen(path: string, onListening?: () => void): void
  }
}

declare module 'comlink/dist/esm/node-adapter.mjs' {
  import type { Endpoint } from 'comlink'
  export default function nodeEndpoint(port: unknown): Endpoint
}

declare module 'ws' {
  import type { EventEmitter } from 'node:events'
  import type { Server } from 'node:http'

  export class WebSocket extends EventEmitter {
    constructor(address: string, options?: { perMessageDeflate: boolean })
    send(text: string): void
  }

  export class WebSocketServer extends EventEmitter {
    constructor(options: { server: Server; perMessageDeflate: boolean })
  }
}

declare module 'linkedom' {
  export function parseHTML(html: string): { document: unknown }
}

declare module '@observablehq/plot' {
  type Marks = readonly unknown[]
  interface Options extends Readonly<Record<string, unknown>> {
    readonly document: unknown
    readonly marks: Marks
  }
  export function plot(options: Options): {
    readonly outerHTML: string
    setAttribute(name: string, value: string): void
  }
  export function barX(data: Marks, options: object): unknown
  export function ruleY(data: Marks, options?: object): unknown
  export function text(data: Marks, options: object): unknown
  export function line(data: Marks, options: object): unknown
  export function dot(data: Marks, options: object): unknown
}
