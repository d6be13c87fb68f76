/**
 * More than a session takes: calls, questions, promises, maps and messages without end, and a peer that does not read.
 */
import { describe, expect, it } from 'vitest'
import { RpcTarget } from '../../../src/rpc/index.js'
import { capOf, content, promisedAnswer, type RawPeer, rawPeer } from '../../support/raw-peer.js'

class Main extends RpcTarget {
  running = 0
  most = 0
  readonly #pending: (() => void)[] = []

  wait(): Promise<string> {
    this.most = Math.max(this.most, ++this.running)
    return new Promise((resolve) => {
      this.#pending.push(() => {
        this.running--
        resolve('waited')
      })
    })
  }

  /** Lets all that wait go on. */
  go(): number {
    return this.#pending.splice(0).map((resolve) => resolve()).length
  }

  echo(value: unknown): unknown {
    return value
  }

  big(): string {
    return 'x'.repeat(1024 * 1024)
  }

  list(length: number): number[] {
    return Array.from({ length }, (_, i) => i)
  }
}

const limits = { calls: 10 }

async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition).toBe(true)
}

describe('a flood of calls', () => {
  it('is refused beyond limits.calls, call by call', async () => {
    const main = new Main()
    const peer = rawPeer(main, { limits })
    await peer.bootstrap()
    const questions = Array.from({ length: 15 }, () => peer.call({ method: ['wait'] }))
    expect(await peer.outcomeOf(questions[14] as number)).toMatch(/^overloaded: 10 calls are being served/)
    expect(main.running).toBe(10)
    main.go()
    expect(await peer.outcomeOf(questions[9] as number)).toBe('waited')
    for (const question of questions) peer.finish(question)
    expect(await peer.outcomeOf(peer.call({ method: ['echo'], args: [1] }))).toBe(1)
  })

  it('ends the session beyond twice as many', async () => {
    const peer = rawPeer(new Main(), { limits })
    await peer.bootstrap()
    for (let i = 0; i < 21; i++) peer.call({ method: ['wait'] })
    expect(await peer.aborted()).toMatch('overloaded: more than 20 questions are open')
  })

  it('cannot be had by finishing each at once: their methods run on, and count', async () => {
    const main = new Main()
    const peer = rawPeer(main, { limits })
    await peer.bootstrap()
    for (let i = 0; i < 200; i++) peer.finish(peer.call({ method: ['wait'] }))
    expect(await peer.outcomeOf(peer.call({ method: ['echo'] }))).toMatch(/^overloaded/)
    expect(main.most).toBe(10)
    main.go()
    await until(() => main.running === 0)
    expect(await peer.outcomeOf(peer.call({ method: ['echo'], args: [1] }))).toBe(1)
  })

  it('counts calls that wait for others only as long as they wait', async () => {
    const main = new Main()
    const peer = rawPeer(main, { limits })
    await peer.bootstrap()
    const first = peer.call({ method: ['wait'] })
    for (let i = 0; i < 50; i++) peer.finish(peer.call({ target: promisedAnswer(first), method: ['length'] }))
    expect(await peer.outcomeOf(peer.call({ method: ['echo'], args: [1] }))).toBe(1)
    main.go()
    expect(await peer.outcomeOf(first)).toBe('waited')
  })

  it('may be a chain of calls each on the one before', async () => {
    const main = new Main()
    const peer = rawPeer(main, { limits: { calls: 1000 } })
    await peer.bootstrap()
    let question = peer.call({ method: ['wait'] })
    for (let i = 0; i < 998; i++) question = peer.call({ target: promisedAnswer(question), mode: 'get' })
    await until(() => main.running === 1)
    main.go()
    expect(await peer.outcomeOf(question)).toBe('waited')
  })

  it('may be one of bootstraps', async () => {
    const peer = rawPeer(new Main(), { limits })
    for (let i = 0; i < 100; i++) {
      peer.send({ type: 'bootstrap', questionId: i })
      peer.finish(i, false)
    }
    expect(await peer.outcomeOf(peer.call({ method: ['echo'], args: [1] }))).toBe(1)
    for (let i = 0; i < 21; i++) peer.send({ type: 'bootstrap', questionId: i })
    expect(await peer.aborted()).toMatch('overloaded')
  })

  it('fails its objects beyond limits.exports', async () => {
    class Maker extends Main {
      make(): RpcTarget {
        return new Main()
      }
    }
    const peer = rawPeer(new Maker(), { limits: { exports: 5 } })
    await peer.bootstrap()
    const questions = Array.from({ length: 8 }, () => peer.call({ method: ['make'] }))
    expect(await peer.outcomeOf(questions[7] as number)).toMatch(/^overloaded: 5 objects are exported/)
    for (const question of questions) peer.finish(question)
    expect(await peer.returned(peer.call({ method: ['make'] }))).toMatchObject({ outcome: { kind: 'results' } })
  })
})

describe('a flood of names', () => {
  const names = (count: number) => Array.from({ length: count }, (_, i) => capOf('senderHosted', i))

  it('is refused beyond limits.imports, and given back', async () => {
    const peer = rawPeer(new Main(), { limits: { imports: 1000 } })
    await peer.bootstrap()
    const question = peer.call({ method: ['echo'], capTable: names(65_536) })
    expect(await peer.outcomeOf(question)).toMatch(/^overloaded: more than 1000 objects .*limits\.imports/)
    expect(await peer.returned(question)).toMatchObject({ releaseParamCaps: true })
    expect(peer.session.getStats().imports).toBe(0)
    expect(await peer.outcomeOf(peer.call({ method: ['echo'], args: [1], capTable: names(1000) }))).toBe(1)
  })

  it('is refused call by call while others hold theirs', async () => {
    const main = new Main()
    const peer = rawPeer(main, { limits: { imports: 1000 } })
    await peer.bootstrap()
    const held = Array.from({ length: 1000 }, (_, i) => ({ '\0': [11, i] }))
    const first = peer.call({ method: ['wait'], args: held, capTable: names(1000) })
    const second = peer.call({ method: ['echo'], args: [1], capTable: [...names(1000), capOf('senderHosted', 1000)] })
    expect(await peer.outcomeOf(second)).toMatch(/^overloaded/)
    expect(peer.session.getStats().imports).toBe(1000)
    expect(await peer.outcomeOf(peer.call({ method: ['echo'], args: [2], capTable: names(1000) }))).toBe(2)
    main.go()
    expect(await peer.outcomeOf(first)).toBe('waited')
  })

  it('ends the session in a one-way call, of which nobody could be told', async () => {
    const peer = rawPeer(new Main(), { limits: { imports: 10 } })
    await peer.bootstrap()
    peer.call({ method: ['echo'], capTable: names(11), oneWay: true })
    expect(await peer.aborted()).toMatch(/^overloaded: .*limits\.imports/)
  })
})

describe('calls that are never finished', () => {
  const arguments100 = [new Uint8Array(100_000)]
  const options = { limits: { callBytes: 1_000_000 } }

  it('keep no more of their results than limits.callBytes', async () => {
    const peer = rawPeer(new Main(), options)
    await peer.bootstrap()
    const questions = Array.from({ length: 20 }, () => peer.call({ method: ['echo'], args: arguments100 }))
    expect(await peer.returned(questions[8] as number)).toMatchObject({ outcome: { kind: 'results' } })
    expect(await peer.outcomeOf(questions[19] as number)).toMatch(/^overloaded: .*limits\.callBytes/)
    for (const question of questions) peer.finish(question)
    const again = peer.call({ method: ['echo'], args: arguments100 })
    expect(await peer.returned(again)).toMatchObject({ outcome: { kind: 'results' } })
  })

  it('and cannot have results count that nobody can call on', async () => {
    const peer = rawPeer(new Main(), options)
    await peer.bootstrap()
    const questions = Array.from({ length: 20 }, () =>
      peer.call({ method: ['echo'], args: arguments100, noPromisePipelining: true }),
    )
    expect(await peer.returned(questions[19] as number)).toMatchObject({ outcome: { kind: 'results' } })
  })

  it('keep no more of their arguments, where a method has passed them on to the peer', async () => {
    const peer = rawPeer({ callBack: (callback: () => unknown) => callback() }, options)
    await peer.bootstrap()
    const args = [{ '\0': [11, 0] }, new Uint8Array(100_000)]
    const capTable = [capOf('senderHosted', 7)]
    const questions = Array.from({ length: 20 }, () => peer.call({ method: ['callBack'], args, capTable }))
    expect(await peer.outcomeOf(questions[0] as number)).toBe('takeFromOtherQuestion')
    expect(await peer.outcomeOf(questions[19] as number)).toMatch(/^overloaded: .*limits\.callBytes/)
    for (const question of questions) peer.finish(question)
    expect(await peer.outcomeOf(peer.call({ method: ['callBack'], args, capTable }))).toBe('takeFromOtherQuestion')
  })

  it('end the session, if they are one-way and wait', async () => {
    const main = new Main()
    const peer = rawPeer(main, options)
    await peer.bootstrap()
    for (let i = 0; i < 20; i++) peer.call({ method: ['wait'], args: arguments100, oneWay: true })
    expect(await peer.aborted()).toMatch(/^overloaded: .*limits\.callBytes/)
    expect(main.running).toBeLessThan(13)
    main.go()
  })

  it('have names of methods that count as well', async () => {
    const peer = rawPeer(new Main(), options)
    await peer.bootstrap()
    const first = peer.call({ method: ['wait'] })
    const name = 'x'.repeat(100_000)
    const questions = Array.from({ length: 20 }, () => peer.call({ target: promisedAnswer(first), method: [name] }))
    expect(await peer.outcomeOf(questions[19] as number)).toMatch(/^overloaded: .*limits\.callBytes/)
  })
})

describe('results that are to be taken from a call that waits for them', () => {
  it('fail both, and nothing else', async () => {
    const peer = rawPeer({ callBack: (callback: () => unknown) => callback(), same: (value: unknown) => value })
    await peer.bootstrap()
    const args = [{ '\0': [11, 0] }]
    const capTable = [capOf('senderHosted', 7)]
    const first = peer.call({ method: ['callBack'], args, capTable, sendResultsTo: 'yourself' })
    const called = await peer.next((message) => message.type === 'call')
    const waiting = peer.call({ target: promisedAnswer(first), method: ['later'] })
    peer.send({
      type: 'return',
      answerId: called.questionId,
      releaseParamCaps: false,
      noFinishNeeded: false,
      outcome: { kind: 'takeFromOtherQuestion', questionId: waiting },
    })
    expect(await peer.outcomeOf(waiting)).toBe('failed: a promise was resolved to itself')
    expect(await peer.outcomeOf(peer.call({ method: ['same'], args: [1] }))).toBe(1)
  })
})

describe('a small message that stands for much', () => {
  it('is refused before it is decoded', async () => {
    const peer = rawPeer(new Main())
    await peer.bootstrap()
    const maps = Buffer.concat([Buffer.from('dd00100000', 'hex'), Buffer.alloc(0x100000, 0x80)])
    expect(await peer.outcomeOf(peer.call({ method: ['echo'], bytes: maps }))).toMatch(/more than 1000000 values/)
    expect(await peer.outcomeOf(peer.call({ method: ['echo'], bytes: Buffer.alloc(1_000_000, 0x91) }))).toMatch(
      /nested deeper/,
    )
  })

  it('may be promises of something large, again and again', async () => {
    const peer = rawPeer(new Main())
    await peer.bootstrap()
    const big = peer.call({ method: ['big'] })
    const capTable = [capOf('receiverAnswer', big)]
    const promise = { '\0': [12, 0, []] }
    const promises = (count: number) => [Array.from({ length: count }, () => promise)]
    expect(await peer.outcomeOf(peer.call({ method: ['echo'], args: promises(1001), capTable }))).toMatch(
      /^overloaded: .*1000 promises/,
    )
    expect(await peer.outcomeOf(peer.call({ method: ['echo'], args: promises(100), capTable }))).toMatch(
      /^overloaded: .*64 MiB/,
    )
    expect(await peer.returned(peer.call({ method: ['echo'], args: promises(2), capTable }))).toMatchObject({
      outcome: { kind: 'results' },
    })
  })
})

describe('a map program', () => {
  const result = { content: Buffer.from(content(null)), caps: [] }
  const main = { variable: 0, path: [] }

  async function mapping(length: number): Promise<{ peer: RawPeer; list: number }> {
    const peer = rawPeer(new Main())
    await peer.bootstrap()
    return { peer, list: peer.call({ method: ['list'], args: [length] }) }
  }

  it('fails its call alone, if it is malformed', async () => {
    const { peer, list } = await mapping(3)
    const step = { subject: main, mode: 'get', path: [] }
    const programs: unknown[] = [
      null,
      1,
      [],
      {},
      { steps: [], captures: [] },
      { steps: {}, result, captures: [] },
      { steps: [1], result, captures: [] },
      { steps: [{ ...step, mode: 'constructor' }], result, captures: [] },
      { steps: [{ ...step, subject: { variable: 1, path: [] } }], result, captures: [] },
      { steps: [{ ...step, subject: { variable: -1, path: [] } }], result, captures: [] },
      { steps: [{ ...step, subject: { variable: 0, path: [-1] } }], result, captures: [] },
      { steps: [{ ...step, subject: { capture: 0 } }], result, captures: [] },
      { steps: [{ ...step, path: 'x' }], result, captures: [] },
      { steps: [], result, captures: [1] },
      { steps: [], result: { content: 'x', caps: [] }, captures: [] },
      { steps: [], result: { content: Buffer.from([0xc1]), caps: [] }, captures: [] },
      { steps: [], result: { ...result, caps: [{ variable: 1, path: [] }] }, captures: [] },
      { steps: [], result: { content: Buffer.from(content({ '\0': [12, 0, []] })), caps: [] }, captures: [] },
    ]
    for (const program of programs) {
      const bytes = content(program)
      const outcome = await peer.outcomeOf(peer.call({ target: promisedAnswer(list), mode: 'map', bytes }))
      expect(outcome, JSON.stringify(program)).toMatch(/^failed: a (map that cannot be run|value that cannot be): /)
    }
    const bytes = content({ steps: [], result, captures: [] })
    expect(await peer.outcomeOf(peer.call({ target: promisedAnswer(list), mode: 'map', bytes }))).toEqual([
      null,
      null,
      null,
    ])
  })

  it('is refused, if it would take more than it may', async () => {
    const { peer, list } = await mapping(5000)
    const step = { subject: main, mode: 'get', path: [] }
    const caps = Array.from({ length: 5 }, () => main)
    const large = Buffer.from(content('x'.repeat(100_000)))
    for (const program of [
      { steps: [step, step], result, captures: [] },
      { steps: [], result: { ...result, caps }, captures: [] },
      { steps: [], result: { content: large, caps: [] }, captures: [] },
    ]) {
      const bytes = content(program)
      const outcome = await peer.outcomeOf(peer.call({ target: promisedAnswer(list), mode: 'map', bytes }))
      expect(outcome).toMatch(/^overloaded: a map of 5000 elements/)
    }
  })
})

describe('a reader that names a boundless window and goes', () => {
  it('does not have the source read on before it is known that it has gone', async () => {
    let read = 0
    const source = new ReadableStream({
      pull(controller) {
        if (read++ === 20_000) controller.close()
        else controller.enqueue(new Uint8Array(64 * 1024))
      },
    })
    const peer = rawPeer({ source: () => source })
    await peer.bootstrap()
    const given = peer.call({ method: ['source'] })
    await peer.returned(given)
    peer.call({
      target: promisedAnswer(given),
      method: ['pipe'],
      args: [{ '\0': [11, 0] }, Number.POSITIVE_INFINITY],
      capTable: [capOf('senderHosted', 1)],
    })
    await new Promise<void>((resolve) => peer.stream.once('frame', () => resolve()))
    peer.stream.destroy()
    await peer.session.closed.catch(() => {}) // properly or not, by what it had received
    expect(read).toBeLessThan(2000)
  })
})

describe('a peer that does not read', () => {
  it('ends its session when more waits for it than limits.queuedBytes, and no other', async () => {
    const peer = rawPeer(new Main(), { limits: { queuedBytes: 100_000 } })
    await peer.bootstrap()
    peer.stream.pause()
    let ended: unknown
    peer.session.closed.catch((error: unknown) => {
      ended = error
    })
    const echoed = Buffer.concat([Buffer.from([0x63]), Buffer.alloc(8000)])
    while (ended === undefined) {
      for (let i = 0; i < 32; i++) peer.sendBytes(echoed)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(ended).toMatchObject({ type: 'overloaded', message: expect.stringContaining('limits.queuedBytes') })
    peer.stream.destroy()
  })
})
