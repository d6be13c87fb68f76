import { describe, expect, it } from 'vitest'
import { dbus, frameLimits, UsageError } from '../../src/framing/index.js'

describe('the limits of frames', () => {
  it('are 16 MiB and 253 descriptors by default', () => {
    expect(frameLimits()).toEqual({ maxPayload: 16 * 1024 * 1024, maxDescriptors: 253 })
  })

  it('keep what was chosen, from nothing to the most', () => {
    expect(frameLimits({ maxPayload: 0, maxDescriptors: 0 })).toEqual({ maxPayload: 0, maxDescriptors: 0 })
    expect(frameLimits({ maxDescriptors: 1024 }).maxDescriptors).toBe(1024)
    expect(frameLimits({ maxPayload: 2 ** 30 }).maxPayload).toBe(2 ** 30)
  })

  it("are the codec's where none is chosen, and what is chosen wins, up or down", () => {
    expect(frameLimits({}, dbus())).toEqual({ maxPayload: 2 ** 27, maxDescriptors: 16 })
    expect(frameLimits({ maxPayload: undefined, maxDescriptors: 40 }, dbus())).toEqual({
      maxPayload: 2 ** 27,
      maxDescriptors: 40,
    })
    expect(frameLimits({ maxPayload: 7, maxDescriptors: 0 }, dbus())).toEqual({ maxPayload: 7, maxDescriptors: 0 })
  })

  it.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31])('refuse %s bytes', (maxPayload) => {
    expect(() => frameLimits({ maxPayload })).toThrow(UsageError)
  })

  it.each([-1, 0.5, Number.NaN, 1025])('refuse %s descriptors', (maxDescriptors) => {
    expect(() => frameLimits({ maxDescriptors })).toThrow(UsageError)
  })
})
