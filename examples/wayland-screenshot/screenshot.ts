/**
 * Has weston copy an output's picture into a memfd of ours. The compositor must let clients do so (`weston --debug`).
 */
import { readSync } from 'node:fs'
import { Descriptor } from 'pillion'
import type { Display } from './display.js'

/** 4 bytes a pixel, in memory: blue, green, red, unused. */
export interface Picture {
  readonly width: number
  readonly height: number
  readonly pixels: Buffer
}

/** A compositor's shared memory: a wl_shm. */
export class SharedMemory {
  readonly #display: Display
  readonly #shm: number

  constructor(display: Display) {
    this.#display = display
    this.#shm = display.bind('wl_shm', 1)
  }

  /** A wl_buffer over the memory, which stays the caller's. */
  buffer(memory: Descriptor, width: number, height: number): number {
    const [pool, buffer] = [this.#display.create(), this.#display.create()]
    this.#display.request(this.#shm, 0, [pool, width * height * 4], [memory])
    this.#display.request(pool, 0, [buffer, 0, width, height, width * 4, xrgb8888])
    this.#display.request(pool, 1) // destroy: the buffer keeps what it needs
    return buffer
  }
}

const xrgb8888 = 1

export class Screenshooter {
  readonly #display: Display
  readonly #memory: SharedMemory
  readonly #output: number
  readonly #shooter: number
  #size: readonly [width: number, height: number] = [0, 0]
  #done = (): void => {}

  constructor(display: Display, memory = new SharedMemory(display)) {
    this.#display = display
    this.#memory = memory
    this.#output = display.bind('wl_output', 2, {
      onEvent: ({ opcode, args }) => {
        if (opcode === 1 && (args.uint() & currentMode) !== 0) this.#size = [args.int(), args.int()]
      },
    })
    this.#shooter = display.bind('weston_screenshooter', 1, { onEvent: () => this.#done() })
  }

  async take(): Promise<Picture> {
    const display = this.#display
    await display.sync()
    const [width, height] = this.#size
    using memory = Descriptor.memfd(width * height * 4, { name: 'screenshot' })
    const buffer = this.#memory.buffer(memory, width, height)
    const done = new Promise<void>((resolve) => {
      this.#done = resolve
    })
    display.request(this.#shooter, 0, [this.#output, buffer])
    await display.unlessClosed(done)
    display.request(buffer, 0) // destroy
    const pixels = Buffer.alloc(width * height * 4)
    readSync(memory.fd, pixels, 0, pixels.length, 0)
    return { width, height, pixels }
  }
}

const currentMode = 1
