/**
 * A screenshot of a weston: it draws into memory that this program sends it, and this program writes that as a PNG.
 *
 *     weston --backend=headless-backend.so --use-pixman --debug -S wayland-0 &
 *     npx tsx examples/wayland-screenshot/main.ts screenshot.png
 */
import { writeFileSync } from 'node:fs'
import { Display } from './display.js'
import { png } from './png.js'
import { Screenshooter } from './screenshot.js'

const path = process.argv[2] ?? 'screenshot.png'
const display = await Display.connect()
const picture = await new Screenshooter(display).take()
display.close()
writeFileSync(path, png(picture))
console.log(`${path}: ${picture.width} x ${picture.height}`)
