/** One capability with a descriptor in several of Cap'n Proto's messages: until when what came with it is open. */
import { describe, expect, it } from 'vitest'
import { capnp } from '../../src/framing/index.js'
import { adopt, Descriptor } from '../../src/stream/index.js'
import { adoptOwned } from '../../src/transport/descriptor.js'
import { pairUnix } from '../../src/transport/index.js'
import { destroyedAfterTest, named, nameOf, streamPair, turns, until } from '../support/streams.js'
import { capnpEsPeer } from './support/capnp-es-peer.js'
import { changed, recordedCalls, rootOf } from './support/capnp-recorded-calls.js'
import { type CapnpTsEnd, capnpTsPeer } from './support/capnp-ts-peer.js'

/** The call again, of another id, with the same capability and nothing attached to it. */
function bare(bearing: Uint8Array, questionId: number): Uint8Array {
  return changed(bearing, (call) => {
    call.questionId = questionId
    call.params.capTable.get(0).attachedFd = 255
  })
}

function again(bearing: Uint8Array, questionId: number): Uint8Array {
  return changed(bearing, (call) => {
    call.questionId = questionId
  })
}

describe.each([
  ['capnp-es', capnpEsPeer],
  ['capnp-ts', capnpTsPeer],
])('a descriptor of one capability, by %s', (_library, peerOn) => {
  const brought = async () => {
    const { peer, answers, running, bearing, ...rest } = await recordedCalls(peerOn)
    const answer = async (which: number) => {
      const { length } = answers
      running[which]!.answer()
      await until(() => answers.length === length + 1, 'the answer')
    }
    const next = async (call: Uint8Array, ...descriptors: Descriptor[]) => {
      const { length } = running
      peer.send(call, descriptors, { transfer: true })
      await until(() => running.length === length + 1, 'the next call')
      return running[length]!.file
    }
    return { ...rest, file: running[1]!.file, bearing, answer, next }
  }

  it.each([
    ['the first is answered first', [1, 2, 3]],
    ['the second is answered first', [2, 1, 3]],
    ['the last is answered first', [3, 2, 1]],
  ])('is open until all calls are answered that came with it, where %s', async (_order, order) => {
    const { file, bearing, answer, next } = await brought()
    for (const id of [77, 78]) expect(await next(bare(bearing, id))).toBe(file)
    for (const which of order) {
      expect(nameOf(file)).toBe('held')
      await answer(which)
    }
    expect(file.closed).toBe(true)
  })

  it.each([
    ['first', [1, 2]],
    ['second', [2, 1]],
  ])('stays the first that came, open until both are answered, the %s ahead', async (_which, order) => {
    const { file, bearing, answer, next } = await brought()
    const [ours, theirs] = pairUnix().map(adoptOwned) as [Descriptor, Descriptor]
    const other = destroyedAfterTest(adopt(ours))
    expect(await next(again(bearing, 77), theirs)).toBe(file)
    for await (const _ of other) expect.unreachable()
    for (const which of order) {
      expect(nameOf(file)).toBe('held')
      await answer(which)
    }
    expect(file.closed).toBe(true)
  })

  it.each(['closed', 'taken'])('is one that comes anew once the first is %s, for all calls that run', async (how) => {
    const { file, bearing, answer, next } = await brought()
    using own = how === 'closed' ? file.dup() : Descriptor.own(file.take())
    file.close()
    const second = await next(again(bearing, 77), named('second'))
    await answer(2)
    expect([nameOf(own), nameOf(second)]).toEqual(['held', 'second'])
    await answer(1)
    expect([own.closed, second.closed]).toEqual([false, true])
  })

  it('is one that comes anew once all calls are answered', async () => {
    const { file, bearing, answer, next } = await brought()
    await answer(1)
    expect(file.closed).toBe(true)
    const second = await next(again(bearing, 77), named('second'))
    expect(nameOf(second)).toBe('second')
    await answer(2)
    expect(second.closed).toBe(true)
  })

  it('counts once, and is closed when the connection ends', async () => {
    const { peer, stream, running, bearing } = await recordedCalls(peerOn, { maxUntaken: 1 })
    for (let i = 0; i < 20; i++) peer.send(again(bearing, 100 + i), [named(i)], { transfer: true })
    await until(() => running.length === 22, 'the calls')
    expect([stream.destroyed, nameOf(running.at(-1)!.file)]).toEqual([false, 'held'])
    peer.destroy()
    await until(() => running[1]!.file.closed, 'its closing')
  })

  function ends() {
    const streams = streamPair({ codec: capnp() })
    let answer = () => {}
    const seen: Descriptor[] = []
    const hang = (file: Descriptor) => {
      seen.push(file)
      return new Promise<null>((resolve) => {
        answer = () => resolve(null)
      })
    }
    const near = peerOn(streams[0], { open: () => file }, { sharesCapabilities: true })
    const far = peerOn(streams[1], { hang })
    const file = named('shared')
    return { near, far, seen, answer: () => answer(), file }
  }

  it('is open until the end of the connection where it came with results, also when it then comes with a call', async () => {
    const { near, far, seen, answer, file } = ends()
    const result = (await far.call('open')) as Descriptor
    for (let i = 1; i <= 2; i++) {
      const call = near.call('hang', file)
      await until(() => seen.length === i, 'the call')
      expect(seen[i - 1]).toBe(result)
      answer()
      await call
      expect(nameOf(result)).toBe('shared')
    }
    near.close()
    await until(() => result.closed, 'its closing')
    far.close()
    file.close()
  })

  it('is open until the end of the connection where it came with results while a call runs that it came with', async () => {
    const { near, far, seen, answer, file } = ends()
    const call = near.call('hang', file)
    await until(() => seen.length === 1, 'the call')
    const result = (await far.call('open')) as Descriptor
    expect(result).toBe(seen[0])
    answer()
    await call
    await turns()
    expect(nameOf(result)).toBe('shared')
    near.close()
    await until(() => result.closed, 'its closing')
    far.close()
    file.close()
  })

  it('is closed with the call where the one of its results is closed already', async () => {
    const { near, far, seen, answer, file } = ends()
    const result = (await far.call('open')) as Descriptor
    result.close()
    const call = near.call('hang', file)
    await until(() => seen.length === 1, 'the call')
    expect(nameOf(seen[0]!)).toBe('shared')
    answer()
    await call
    expect(seen[0]!.closed).toBe(true)
    near.close()
    far.close()
    file.close()
  })
})

it('a descriptor of a capability that was released, and comes anew by capnp-ts, is closed with its own call alone', async () => {
  const conns: CapnpTsEnd['conn'][] = []
  const { peer, running, answers, bearing } = await recordedCalls((...args) => {
    const end = capnpTsPeer(...args)
    conns.push(end.conn)
    return end
  })
  conns[0]!.releaseImport(rootOf(bearing).call.params.capTable.get(0).senderHosted) // as by its client's `dispose`
  peer.send(again(bearing, 77), [named('second')], { transfer: true })
  await until(() => running.length === 3, 'the next call')
  const files = running.slice(1).map(({ file }) => file)
  expect(files.map(nameOf)).toEqual(['held', 'second'])
  running[1]!.answer()
  await until(() => answers.length === 1, 'the answer')
  expect(files.map(({ closed }) => closed)).toEqual([true, false])
  running[2]!.answer()
  await until(() => answers.length === 2, 'the answer')
  expect(files.map(({ closed }) => closed)).toEqual([true, true])
})
