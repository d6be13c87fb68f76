/** The memory of slabs: it serves again once nobody refers to it, and is given back when nobody needs it. */
import { beforeEach, describe, expect, it } from 'vitest'
import { binding } from '../../src/transport/native.js'

const mark = 0xa5
/** More than the pool keeps. */
const many = 100
const kept = 64

function take(): Uint8Array {
  const slab = binding.takeSlab()
  if (slab === undefined) throw new Error('there is no memory from outside here')
  return new Uint8Array(slab)
}

/** As many slabs, written to, that nobody refers to any more. */
async function markAndForget(count: number): Promise<void> {
  markSome(count)
  await collected()
}

/** Nothing of this frame is left on the stack when the collector looks. */
function markSome(count: number): void {
  for (const slab of Array.from({ length: count }, take)) slab.fill(mark)
}

/** V8 tells of what it has collected in turns of the loop. */
async function collected(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) {
    globalThis.gc?.()
    await new Promise(setImmediate)
  }
}

/** How many of so many slabs are not fresh; fresh ones are zero. */
function countRecycled(count: number): number {
  const slabs = Array.from({ length: count }, take)
  return slabs.filter(([first]) => first === mark).length
}

function trimUntilNothingIsKept(): void {
  while (binding.trimSlabs());
}

describe('a slab', () => {
  beforeEach(async () => {
    await collected()
    trimUntilNothingIsKept()
  })

  it('serves again once it has been collected, and not before', async () => {
    const held = take().fill(mark)
    await markAndForget(3)
    expect(countRecycled(10)).toBe(3)
    expect(held.every((byte) => byte === mark)).toBe(true)
  })

  it('is one of so many at most that are kept', async () => {
    await markAndForget(many)
    expect(countRecycled(many)).toBe(kept)
  })

  it('is given back when it was not needed between two looks', async () => {
    await markAndForget(5)
    expect(binding.trimSlabs()).toBe(true)
    expect(countRecycled(2)).toBe(2) // needed since
    expect(binding.trimSlabs()).toBe(true)
    expect(binding.trimSlabs()).toBe(false)
    expect(countRecycled(5)).toBe(0)
  })

  it('is not kept when it comes after the last look', async () => {
    const slabs = [take().fill(mark)]
    trimUntilNothingIsKept()
    slabs.pop()
    await collected()
    expect(countRecycled(1)).toBe(0)
  })

  it('cannot be transferred', () => {
    const { buffer } = take()
    try {
      structuredClone(buffer, { transfer: [buffer as ArrayBuffer] })
    } catch (error) {
      expect(error).toMatchObject({ name: 'DataCloneError' }) // Node 21 and later say so; Node 20 copies
    }
    expect(buffer.byteLength).toBe(256 * 1024)
  })
})
