/**
 * What the Wayland tests share: a weston without a screen, and a window of one colour, drawn from a memfd of ours.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { Display, type DisplayOptions } from '../../../examples/wayland-screenshot/display.js'
import type { Picture, SharedMemory } from '../../../examples/wayland-screenshot/screenshot.js'
import { Descriptor } from '../../../src/stream/index.js'
import { startProgram, temporaryFolder } from './program.js'

const size = { width: 320, height: 240 } as const

export interface Weston {
  /** What a client needs in its environment. */
  readonly env: { readonly XDG_RUNTIME_DIR: string; readonly WAYLAND_DISPLAY: string }
  readonly path: string
  readonly version: string
}

export async function startWeston(): Promise<Weston> {
  const folder = temporaryFolder()
  const env = { XDG_RUNTIME_DIR: folder, WAYLAND_DISPLAY: 'pillion' }
  const config = join(folder, 'weston.ini')
  // No fade at the start, no panel, nothing that changes by itself: a screenshot shows our windows on one colour.
  const shell = ['startup-animation=none', 'panel-position=none', 'background-color=0xff000000']
  writeFileSync(config, ['[core]', 'idle-time=0', '[shell]', ...shell, ''].join('\n'))
  const args = [
    '--backend=headless-backend.so',
    '--use-pixman',
    '--debug',
    `--config=${config}`,
    '-S',
    env.WAYLAND_DISPLAY,
  ]
  const sizes = [`--width=${size.width}`, `--height=${size.height}`]
  const program = startProgram('weston', [...args, ...sizes], { env, output: 'stderr' })
  const version = /weston ([\d.]+)/.exec(await program.lineLike(/weston [\d.]+/))![1]!
  // Its socket is there before it starts its own first client.
  await program.lineLike(/launching .*weston-desktop-shell/)
  return { env, path: join(folder, env.WAYLAND_DISPLAY), version }
}

export async function connectTo(path: string, options: DisplayOptions = {}): Promise<Display> {
  const display = await Display.connect(path, options)
  onTestFinished(() => display.close())
  return display
}

/** A window on the screen, of the size of its first buffer. */
export class Window {
  readonly #display: Display
  readonly #surface: number

  private constructor(display: Display) {
    this.#display = display
    const compositor = display.bind('wl_compositor', 4)
    // The ids of new objects have to come in order.
    this.#surface = display.create()
    display.request(compositor, 0, [this.#surface])
  }

  static async open(display: Display): Promise<Window> {
    const window = new Window(display)
    const shell = display.bind('xdg_wm_base', 1, {
      onEvent: ({ args }) => display.request(shell, 3, [args.uint()]), // ping: pong
    })
    let configured = (): void => {}
    const ready = new Promise<void>((resolve) => {
      configured = resolve
    })
    const xdgSurface = display.create({
      onEvent: ({ args }) => {
        display.request(xdgSurface, 4, [args.uint()]) // configure: ack_configure
        configured()
      },
    })
    display.request(shell, 2, [xdgSurface, window.#surface]) // get_xdg_surface
    display.request(xdgSurface, 1, [display.create()]) // get_toplevel
    display.request(window.#surface, 6) // commit
    await display.unlessClosed(ready)
    return window
  }

  /** Resolves when the compositor has drawn a frame with it. */
  async show(buffer: number, width: number, height: number): Promise<void> {
    const display = this.#display
    await display.event((callback) => {
      display.request(this.#surface, 1, [buffer, 0, 0]) // attach
      display.request(this.#surface, 2, [0, 0, width, height]) // damage
      display.request(this.#surface, 3, [callback]) // frame
      display.request(this.#surface, 6) // commit
    })
  }
}

/** Memory for a picture of one colour, 0xRRGGBB. The buffer lives on when the memory is closed here. */
export function colouredBuffer(memory: SharedMemory, colour: number, width: number, height: number): number {
  const pixels = Buffer.alloc(width * height * 4)
  new Uint32Array(pixels.buffer, pixels.byteOffset, width * height).fill((0xff000000 | colour) >>> 0)
  // wl_shm maps it to read and write: nothing may be sealed against writing.
  using file = Descriptor.memfd(pixels, { seal: false })
  return memory.buffer(file, width, height)
}

/** How many pixels there are of each colour. */
export function coloursOf({ pixels }: Picture): Map<number, number> {
  const colours = new Map<number, number>()
  for (let at = 0; at < pixels.length; at += 4) {
    const colour = pixels.readUInt32LE(at) & 0xffffff
    colours.set(colour, (colours.get(colour) ?? 0) + 1)
  }
  return colours
}
