/**
 * What is sent, frame by frame: both processes walk the same schedule, so the worker knows what must arrive.
 *
 * It stresses boundaries on purpose: payloads from nothing to megabytes, around every size at which an implementation
 * may change its mind, and frames with none, one, several and 300 descriptors (a sendmsg takes 253, so 254 and 300 need
 * two). Everything comes from the seed. Knows nothing of sockets and files.
 */

/** One frame. Without files it is plain: its payload is filler and nothing else. */
export interface Step {
  /** Indexes into the broker's list of files: one descriptor each, in this order. */
  readonly files: readonly number[]
  /** Bytes of payload; a frame with files is longer if it takes more to name them. */
  readonly size: number
  /** The frame that brings this file for the first time: the worker hashes it. */
  readonly first: boolean
}

const boundaries = [
  0, 1, 7, 8, 9, 255, 4_095, 4_096, 4_097, 16_383, 16_384, 16_385, 32_767, 32_768, 32_769, 65_535, 65_536, 65_537,
  262_144,
]
const megabytes = [1_048_575, 1_048_576, 3_145_728, 1_048_577]
const crowds = [300, 253, 254, 300, 252, 64, 300, 128]
/** Even a folder with one file meets every boundary. */
const leastRounds = 160

export const largestPayload = Math.max(...megabytes)

export function* schedule(fileCount: number, seed: number): Generator<Step> {
  const random = randomNumbers(seed)
  const anyFiles = (count: number): number[] => Array.from({ length: count }, () => random(fileCount))
  const rounds = Math.max(fileCount, leastRounds)
  const crowdEvery = Math.floor(rounds / crowds.length)
  for (let round = 0; round < rounds; round++) {
    for (let plain = random(4); plain > 0; plain--) yield { files: [], size: smallSize(random), first: false }
    if (round < fileCount) yield { files: [round], size: smallSize(random), first: true }
    if (round % 12 === 5) yield { files: anyFiles(2 + random(8)), size: smallSize(random), first: false }
    if (round % crowdEvery === crowdEvery - 1) {
      const turn = Math.floor(round / crowdEvery)
      yield { files: anyFiles(crowds[turn % crowds.length] ?? 0), size: 0, first: false }
      yield { files: anyFiles(turn % 2), size: megabytes[turn % megabytes.length] ?? 0, first: false }
    }
  }
}

/** Mostly small, as messages are; one in eight at a boundary. */
function smallSize(random: (below: number) => number): number {
  if (random(8) === 0) return boundaries[random(boundaries.length)] ?? 0
  return random(random(4) === 0 ? 4_096 : 64)
}

/** mulberry32: small, fast, and the same everywhere. */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below)
  }
}
