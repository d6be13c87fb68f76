/** A picture as a PNG: RGB, 8 bits each, no filter. */
import { crc32, deflateSync } from 'node:zlib'
import type { Picture } from './screenshot.js'

export function png({ width, height, pixels }: Picture): Buffer {
  const lines = Buffer.alloc(height * (1 + 3 * width))
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = 4 * (y * width + x)
      const to = 1 + y * (1 + 3 * width) + 3 * x
      lines[to] = pixels[from + 2]!
      lines[to + 1] = pixels[from + 1]!
      lines[to + 2] = pixels[from]!
    }
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2, 0, 0, 0], 8)
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')
  const chunks = [chunk('IHDR', header), chunk('IDAT', deflateSync(lines)), chunk('IEND', Buffer.alloc(0))]
  return Buffer.concat([signature, ...chunks])
}

function chunk(type: string, content: Buffer): Buffer {
  const typed = Buffer.concat([Buffer.from(type), content])
  const frame = Buffer.alloc(8 + typed.length)
  frame.writeUInt32BE(content.length, 0)
  typed.copy(frame, 4)
  frame.writeUInt32BE(crc32(typed), 4 + typed.length)
  return frame
}
