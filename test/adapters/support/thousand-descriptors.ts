/** A thousand descriptors each way, through calls to the service of a child process that names what it is given and opens. */
import { expect } from 'vitest'
import type { Descriptor } from '../../../src/stream/index.js'
import { named, nameOf } from '../../support/streams.js'

/** Each comes to its own call, alone or deep in an argument, and none stays open there. */
export async function passThousandEachWay(
  call: (method: string, ...params: unknown[]) => Promise<unknown>,
): Promise<void> {
  const before = await call('openCount')
  let sent = 0
  let received = 0
  for (let round = 0; round < 40; round++) {
    const calls = Array.from({ length: 9 }, async (_, i) => {
      const names = Array.from({ length: i % 8 }, (_, k) => `${round}.${i}.${k}`)
      const files = names.map(named)
      sent += files.length
      const found = i % 2 === 0 ? call('nested', { a: { deep: files } }) : call('names', files)
      expect(await found).toEqual(names)
      for (const file of files) file.close()
      const opened = (await call('open', names)) as Descriptor[]
      expect(opened.map(nameOf)).toEqual(names)
      received += opened.length
      for (const file of opened) file.close()
    })
    await Promise.all(calls)
  }
  expect([sent, received]).toEqual([1120, 1120])
  expect(await call('openCount')).toBe(before)
}
