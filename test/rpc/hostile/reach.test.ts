/**
 * What a peer may name, and what it may not: names of the language, of prototypes, of what is private; and values that
 * pretend to be something else.
 */
import { describe, expect, it } from 'vitest'
import { RpcTarget } from '../../../src/rpc/index.js'
import type { Path } from '../../../src/rpc/machine/messages.js'
import { capOf, content, promisedAnswer, rawPeer } from '../../support/raw-peer.js'
import { sessionsOf } from '../../support/rpc-sessions.js'

class Base extends RpcTarget {
  inherited(): string {
    return 'inherited'
  }
}

class Main extends Base {
  readonly own = 'own'
  readonly ownMethod = (): string => 'own method'
  readonly #secret = 'secret'

  get shown(): object {
    return { list: [{ method: () => this.#secret.length }], bare: Object.assign(Object.create(null), { n: 1 }) }
  }

  get instance(): object {
    return new Date(0)
  }

  #hidden(): string {
    return this.#secret
  }

  override toString(): string {
    return this.#hidden()
  }

  static fixed(): string {
    return 'static'
  }

  method(): void {}

  echo(value: unknown): unknown {
    return value
  }

  typeOf(value: unknown): string {
    return `${typeof value} ${typeof (value as { then?: unknown })?.then}`
  }
}

const outOfReach: readonly Path[] = [
  ['own'],
  ['ownMethod'],
  ['#secret'],
  ['#hidden'],
  ['fixed'],
  ['constructor'],
  ['constructor', 'fixed'],
  ['constructor', 'constructor'],
  ['__proto__'],
  ['__proto__', 'method'],
  ['prototype'],
  ['toString'],
  ['valueOf'],
  ['hasOwnProperty'],
  ['isPrototypeOf'],
  ['__defineGetter__'],
  ['__lookupGetter__'],
  ['then'],
  ['catch'],
  ['dup'],
  ['Symbol(Symbol.dispose)'],
  ['Symbol.dispose'],
  ['@@dispose'],
  [0],
  [''],
  ['method', 'call'],
  ['method', 'apply'],
  ['method', 'bind'],
  ['method', 'constructor'],
  ['method', 'prototype'],
  ['shown', 'constructor'],
  ['shown', '__proto__'],
  ['shown', 'toString'],
  ['shown', 'list', 'push'],
  ['shown', 'list', 'constructor'],
  ['shown', 'list', 'map'],
  ['shown', 'list', 5],
  ['shown', 'bare', 'toString'],
  ['shown', 'list', 0, 'method', 'constructor'],
  ['instance', 'getTime'],
  ['instance', 'constructor'],
]

describe('a peer', () => {
  it.each(outOfReach.map((path) => ({ path, name: JSON.stringify(path) })))(
    'does not reach $name',
    async ({ path }) => {
      const peer = rawPeer(new Main())
      await peer.bootstrap()
      for (const mode of ['call', 'get'] as const) {
        expect(await peer.outcomeOf(peer.call({ method: path, mode }))).toMatch(/^unimplemented: there is no /)
      }
    },
  )

  it('reaches methods and accessors of the classes, and what plain objects have', async () => {
    const peer = rawPeer(new Main())
    await peer.bootstrap()
    expect(await peer.outcomeOf(peer.call({ method: ['inherited'] }))).toBe('inherited')
    expect(await peer.outcomeOf(peer.call({ method: ['shown', 'list', 0, 'method'] }))).toBe(6)
    expect(await peer.outcomeOf(peer.call({ method: ['shown', 'bare', 'n'], mode: 'get' }))).toBe(1)
  })

  it('does not reach prototypes through results either', async () => {
    const peer = rawPeer(new Main())
    await peer.bootstrap()
    const question = peer.call({ method: ['echo'], args: [{ a: [1] }] })
    await peer.returned(question)
    for (const path of [
      ['constructor'],
      ['a', 'push'],
      ['a', 'constructor', 'constructor'],
      ['__proto__', 'x'],
      ['then'],
    ]) {
      const outcome = await peer.outcomeOf(peer.call({ target: promisedAnswer(question), method: path }))
      expect(outcome).toMatch(/^(unimplemented|failed): the result/)
    }
  })

  it('cannot make an object that would be awaited', async () => {
    const peer = rawPeer(new Main())
    await peer.bootstrap()
    const main = { capTable: [capOf('receiverHosted', 0)] }
    for (const then of [{ '\0': [11, 0] }, { '\0': [12, 0, []] }, { '\0': [12, 0, ['method']] }]) {
      for (const args of [[{ then }], [{ '\0': [0, { '\0': 1, then }] }], [[{ deep: { then } }]]]) {
        expect(await peer.outcomeOf(peer.call({ method: ['typeOf'], args, ...main }))).toMatch(
          /value that cannot be: it has a/,
        )
      }
    }
    // biome-ignore lint/suspicious/noThenProperty: data of that name may travel
    expect(await peer.outcomeOf(peer.call({ method: ['typeOf'], args: [{ then: 1 }] }))).toBe('object number')
    expect(await peer.outcomeOf(peer.call({ method: ['typeOf'], args: [{ '\0': [11, 0] }], ...main }))).toBe(
      'function undefined',
    )
  })

  it('cannot pass anything but an array of arguments', async () => {
    const peer = rawPeer(new Main())
    await peer.bootstrap()
    for (const args of [null, 1, 'x', { length: 1 }, { '\0': [8, []] }]) {
      expect(await peer.outcomeOf(peer.call({ method: ['echo'], bytes: content(args) }))).toBe(
        'failed: the arguments of a call are an array',
      )
    }
  })

  it('fails its call alone, whatever stands for a value in it', async () => {
    const peer = rawPeer(new Main())
    await peer.bootstrap()
    const capTable = [capOf('receiverHosted', 0), capOf('none', 0)]
    const marks: unknown[] = [
      [],
      [-1],
      [17],
      ['11', 0],
      [0],
      [0, 1],
      [0, [1]],
      [1, 1],
      [2, 0],
      [3],
      [3, 5],
      [3, ''],
      [3, '-'],
      [3, '0x1'],
      [3, 'f'.repeat(16_385)],
      [3, '1'.repeat(100_000)],
      [4, 'now'],
      [5, '('],
      [5, 'a', 'gg'],
      [5, 1, 2],
      [6, 'no url'],
      [7, {}],
      [7, [1]],
      [7, [{ '\0': [12, 0, []] }, 1]],
      [8, {}],
      [8, [{ '\0': [12, 0, []] }]],
      [9, []],
      [9, {}],
      [9, { name: 1, message: 'x' }],
      [9, { name: 'Error', message: { '\0': [12, 0, []] } }],
      [9, { name: 'Error', message: 'x', cause: { '\0': [12, 0, []] } }],
      [10, 0, 'bytes'],
      [10, 12, Buffer.alloc(1)],
      [10, -1, Buffer.alloc(1)],
      [10, 'length', Buffer.alloc(1)],
      [10, 5, Buffer.alloc(3)],
      [11],
      [11, 2],
      [11, -1],
      [11, 0.5],
      [11, '0'],
      [11, 0, 1],
      [12, 0],
      [12, 0, 'path'],
      [12, 0, [-1]],
      [12, 0, [{}]],
      [12, 9, []],
      [13, 0],
      [13, -1],
      [13, 'x'],
      [14, 7],
      [15, 7],
      [16, 7],
    ]
    for (const mark of marks) {
      const outcome = await peer.outcomeOf(peer.call({ method: ['echo'], args: [{ '\0': mark }], capTable }))
      expect(outcome, JSON.stringify(mark)).toMatch(/^failed: a value that cannot be: /)
    }
    const two = await peer.outcomeOf(peer.call({ method: ['echo'], args: [{ '\0': [1], other: 1 }] }))
    expect(two).toMatch(/^failed: a value that cannot be: /)
    expect(await peer.outcomeOf(peer.call({ method: ['typeOf'], args: [{ '\0': [11, 1] }], capTable }))).toBe(
      'function undefined',
    )
  })

  it('leaves no stream behind in a value that cannot be', async () => {
    const peer = rawPeer(new Main())
    await peer.bootstrap()
    const capTable = [capOf('senderHosted', 1), capOf('senderHosted', 2), capOf('senderHosted', 3)]
    const args = [{ '\0': [14, 0] }, { '\0': [15, 1] }, { '\0': [16, 2] }, { '\0': [99] }]
    expect(await peer.outcomeOf(peer.call({ method: ['echo'], args, capTable }))).toMatch('a value that cannot be')
    await expect.poll(() => peer.session.getStats().imports).toBe(0)
  })
})

describe('a path that is longer than a message may have', () => {
  it('fails the call alone, also where it is joined here and the callee is behind another session', async () => {
    const behind = sessionsOf({ kept: { add: (a: number, b: number) => a + b } })
    const peer = rawPeer({ far: () => behind.client.getRemoteMain() })
    await peer.bootstrap()
    const question = peer.call({ method: ['far'] })
    const names = (count: number): Path => Array.from({ length: count }, () => 'kept')
    const long = peer.call({ target: promisedAnswer(question, ...names(200)), method: names(57) })
    expect(await peer.outcomeOf(long)).toBe('failed: a path of 257 names, the limit is 256')
    const longest = peer.call({ target: promisedAnswer(question, ...names(200)), method: names(56) })
    expect(await peer.outcomeOf(longest)).toBe('unimplemented: there is no kept.kept')
    const short = peer.call({ target: promisedAnswer(question, 'kept'), method: ['add'], args: [1, 2] })
    expect(await peer.outcomeOf(short)).toBe(3)
    for (const id of [question, long, longest, short]) peer.finish(id)
    expect(await behind.api.kept.add(3, 4)).toBe(7)
  })
})
