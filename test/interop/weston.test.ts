/**
 * Weston at the other end, without a screen: it maps memfds of ours, draws what is in them, and draws into one of ours.
 */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { inflateSync } from 'node:zlib'
import { beforeEach, expect, it } from 'vitest'
import { Screenshooter, SharedMemory } from '../../examples/wayland-screenshot/screenshot.js'
import { needs } from '../support/needs.js'
import { temporaryFolder } from './support/program.js'
import { flawless, Scenario } from './support/results.js'
import { colouredBuffer, coloursOf, connectTo, startWeston, Window } from './support/wayland-scenes.js'

const width = 50
const height = 40
/** All of them at once must not be more than weston's descriptor table takes. */
const buffers = 100

beforeEach((context) => needs(context, { command: 'weston' }))

it('hands over memory, and the compositor draws each window from the memory that was meant', async () => {
  const { path, version } = await startWeston()
  const scenario = new Scenario({ peer: 'weston', version, direction: 'out' })
  const display = await connectTo(path)
  const memory = new SharedMemory(display)
  const screenshooter = new Screenshooter(display, memory)
  const window = await Window.open(display)

  const colours = Array.from({ length: buffers }, (_, i) => 0x400000 + i * 0x0123)
  // All of their descriptors are sent in this one turn.
  const shown = colours.map((colour) => ({ colour, buffer: colouredBuffer(memory, colour, width, height) }))
  for (const { colour, buffer } of shown) {
    await window.show(buffer, width, height)
    const seen = coloursOf(await screenshooter.take())
    const [other] = [...seen.keys()].filter((one) => one !== 0)
    scenario.message(other === undefined ? [] : [other], [colour])
    expect(seen.get(other!), 'pixels of the window').toBe(width * height)
  }
  const { sent } = display.stats
  display.close()

  // The window's, and one for each screenshot, which would be black with any other.
  expect(sent.descriptors).toBe(2 * buffers)
  expect(scenario.descriptors).toBe(buffers)
  Object.assign(scenario, { frames: sent.frames, descriptors: sent.descriptors })
  expect(await scenario.finish()).toMatchObject(flawless)
})

it('takes a screenshot by the example, as a PNG', async () => {
  const { path, env } = await startWeston()
  const display = await connectTo(path)
  const window = await Window.open(display)
  await window.show(colouredBuffer(new SharedMemory(display), 0x123456, width, height), width, height)

  const file = join(temporaryFolder(), 'screenshot.png')
  const example = join(import.meta.dirname, '../../examples/wayland-screenshot/main.ts')
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', example, file], {
    env: { ...process.env, ...env },
  })
  expect(stdout).toContain('320 x 240')

  const png = readFileSync(file)
  expect(png.subarray(0, 8).toString('latin1')).toBe('\x89PNG\r\n\x1a\n')
  expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([320, 240])
  const start = png.indexOf('IDAT') + 4
  const lines = inflateSync(png.subarray(start, start + png.readUInt32BE(start - 8)))
  expect(lines.length).toBe(240 * (1 + 3 * 320))
  let ofWindow = 0
  for (let y = 0; y < 240; y++) {
    for (let x = 0; x < 320; x++) if (lines.readUIntBE(y * 961 + 1 + 3 * x, 3) === 0x123456) ofWindow++
  }
  expect(ofWindow).toBe(width * height)
})
