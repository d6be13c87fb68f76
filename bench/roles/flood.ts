/**
 * One way, as fast as it goes. A frame of another size than the others ends a round: the receiver then reports what it
 * has counted, and the sender compares.
 */
import type { Carrier, Link, OnFrame } from './link.js'
import { BenchFailure, type Commands } from './obey.js'
import { addDigest, digest, Payloads } from './payloads.js'
import type { Metrics, Setting } from './setting.js'

const endOfRound = Buffer.alloc(1)
/** Frames between two looks at the clock, where they are small. */
const stride = 256

interface Tally {
  frames: number
  descriptors: number
  checksum: number
}

export function tallyFrames(setting: Setting, link: Link): OnFrame {
  const size = setting.payload
  let frames = 0
  let descriptors = 0
  let checksum = 0
  return (bytes, start, end, came) => {
    if (end - start === size) {
      checksum = addDigest(checksum, digest(bytes, start, end))
      frames++
      descriptors += came
      return
    }
    link.send(written({ frames, descriptors, checksum }), 0)
    frames = 0
    descriptors = 0
    checksum = 0
  }
}

export async function floodClient(carrier: Carrier, setting: Setting): Promise<Commands> {
  const pool = Payloads.of(setting.payload)
  const every = setting.payload <= 1024 && setting.descriptors === 0 ? stride : 1
  let onReport: ((tally: Tally) => void) | undefined
  const link = await carrier.connect(setting, (bytes, start) => onReport?.(read(bytes, start)))

  async function run(milliseconds: number): Promise<Metrics> {
    const reported = new Promise<Tally>((resolve) => {
      onReport = resolve
    })
    let at = 0
    let frames = 0
    let checksum = 0
    const began = performance.now()
    const until = began + milliseconds
    await link.flood(() => {
      if (frames % every === 0 && performance.now() >= until) return undefined
      const i = at
      at = i + 1 === pool.count ? 0 : i + 1
      frames++
      checksum = addDigest(checksum, pool.digests[i] as number)
      return pool.payloads[i]
    })
    link.send(endOfRound, 0)
    const tally = await reported
    const seconds = (performance.now() - began) / 1000
    compare({ frames, descriptors: frames * setting.descriptors, checksum }, tally)
    return {
      operations: frames,
      frames: frames / seconds,
      bytes: (frames * setting.payload) / seconds,
      descriptors: (frames * setting.descriptors) / seconds,
      perFrame: (seconds * 1e9) / frames,
      perByte: (seconds * 1e9) / (frames * setting.payload),
    }
  }
  return { run }
}

function compare(sent: Tally, received: Tally): void {
  const lost = sent.descriptors - received.descriptors
  if (lost !== 0) throw new BenchFailure(`${lost} of ${sent.descriptors} descriptors were lost`)
  if (sent.frames !== received.frames) {
    throw new BenchFailure(`${sent.frames - received.frames} of ${sent.frames} frames were lost`)
  }
  if (sent.checksum !== received.checksum) throw new BenchFailure('the checksums differ')
}

function written({ frames, descriptors, checksum }: Tally): Buffer {
  const report = Buffer.alloc(20)
  report.writeDoubleLE(frames, 0)
  report.writeDoubleLE(descriptors, 8)
  report.writeInt32LE(checksum, 16)
  return report
}

function read(bytes: Uint8Array, start: number): Tally {
  const report = Buffer.from(bytes.buffer, bytes.byteOffset + start, 20)
  return { frames: report.readDoubleLE(0), descriptors: report.readDoubleLE(8), checksum: report.readInt32LE(16) }
}
