/**
 * The usual ways of finding out whose a received descriptor is, each as it is found in the field, in a few lines.
 *
 * All have thrown away what the kernel tells: at which byte of the stream a set arrived. They are given what a program
 * with plain recvmsg sees, recorded from a real socket: where each read ended and what came with it, and where each frame
 * ends. Descriptors are `device:inode` here; nothing is open.
 */

export interface Recording {
  readonly reads: readonly Read[]
  readonly frames: readonly RecordedFrame[]
}

/** One recvmsg: it returns one set at most, and stops behind the bytes that the set came with (docs/kernel.md fact 1). */
export interface Read {
  /** Stream position just behind its last byte. */
  readonly end: number
  readonly descriptors: readonly string[]
  /** Nothing more was there to be read: a program that reads until EAGAIN looks at its buffer now. */
  readonly drained: boolean
}

export interface RecordedFrame {
  readonly end: number
  /** What the frame says that it carries; those who announce counts know how many. */
  readonly named: readonly string[]
}

/** What each frame gets, in the order of the frames. */
export type Way = (recording: Recording) => readonly (readonly string[])[]

export const usualWays: Readonly<Record<string, Way>> = {
  /** Right as long as every set is whole. One that is short makes the frame take from those behind it. */
  'flat queue by counts, read until EAGAIN': (recording) =>
    parse(recording, 'each drain', (queue, frame) => queue.splice(0, frame.named.length)),
  /** The queue is short of less when a frame is looked at, so a short set spoils less. */
  'flat queue by counts, one read at a time': (recording) =>
    parse(recording, 'each read', (queue, frame) => queue.splice(0, frame.named.length)),
  /** Formats that announce no count: a message takes what is there. */
  'flat queue without counts': (recording) => parse(recording, 'each drain', (queue) => queue.splice(0)),
  /** One recvmsg, one set: it must be the first message's, mustn't it? A plain frame ahead in the same read gets it. */
  "all of a read's to its first message": (recording) => parse(recording, 'each read', (queue) => queue.splice(0)),
}

/** Appends what each read brings to one queue; complete frames take theirs from it, in order. */
function parse(
  { reads, frames }: Recording,
  when: 'each read' | 'each drain',
  take: (queue: string[], frame: RecordedFrame) => string[],
): string[][] {
  const queue: string[] = []
  const taken: string[][] = []
  for (const read of reads) {
    queue.push(...read.descriptors)
    if (when === 'each drain' && !read.drained) continue
    for (let frame = frames[taken.length]; frame !== undefined && frame.end <= read.end; frame = frames[taken.length]) {
      taken.push(take(queue, frame))
    }
  }
  return taken
}
