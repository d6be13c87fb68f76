/** What comlink's tests have in workers and iframes, in a process of its own, on the stream that is its descriptor 3. */
import * as Comlink from 'comlink'
import { streamEndpoint } from '../../../src/adapters/comlink/index.js'
import { adopt, Descriptor } from '../../../src/stream/index.js'

const parent = streamEndpoint(adopt(Descriptor.own(3)), Comlink)
if (process.argv[2] === 'two-way') {
  const theirs = Comlink.wrap<(value: number) => number>(parent)
  Comlink.expose(async (a: number, b: number) => a + (await theirs(b)), parent)
} else {
  Comlink.expose((a: number, b: number) => a + b, parent)
}
