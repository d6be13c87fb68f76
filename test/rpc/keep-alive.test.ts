/** Keep-alive: a peer that hangs is noticed; one that is there is not disturbed. */
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { RpcSession, RpcTarget } from '../../src/rpc/index.js'
import { KeepAlive } from '../../src/rpc/keep-alive.js'
import { streamPair } from '../support/streams.js'
import { plain } from './support/waiting.js'

vi.mock('../../src/event-loop.js', () => import('../support/clock-of-the-moment.js'))

class Main extends RpcTarget {
  echo(text: string) {
    return text
  }
  never() {
    return new Promise(() => {})
  }
}

describe('the keep-alive of a session', () => {
  it('ends a session whose peer does not answer, with `disconnected`', async () => {
    const [near, far] = streamPair()
    far.on('frame', () => {}) // reads, and says nothing
    const session = new RpcSession<Main>(near, {}, { keepAlive: 20 })
    using api = session.getRemoteMain()
    const call = expect(plain(api.never())).rejects.toMatchObject({ type: 'disconnected' })
    await expect(session.closed).rejects.toMatchObject({
      type: 'disconnected',
      message: expect.stringContaining('40 ms (keepAlive)'),
    })
    await call
    far.destroy()
  })

  it('goes on for as long as the peer answers, with a call that takes longer', async () => {
    const [near, far] = streamPair()
    const session = new RpcSession<Main>(near, {}, { keepAlive: 5 })
    const server = new RpcSession(far, new Main())
    using api = session.getRemoteMain()
    let over = false
    const never = api.never()
    never.then(undefined, () => {
      over = true
    })
    const { received } = far.stats
    const before = received.frames
    while (far.stats.received.frames < before + 10) await new Promise((resolve) => setImmediate(resolve)) // ten pings
    expect(over).toBe(false)
    expect(await api.echo('there')).toBe('there')
    await session.close()
    await server.closed
    await expect(plain(never)).rejects.toMatchObject({ type: 'disconnected' })
  })
})

describe('KeepAlive', () => {
  function started() {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] })
    const said: string[] = []
    const keepAlive = new KeepAlive(100, {
      ask: () => said.push(`asked at ${performance.now() - start}`),
      onSilence: () => said.push(`gave up at ${performance.now() - start}`),
    })
    const start = performance.now()
    onTestFinished(() => {
      keepAlive.stop()
      vi.useRealTimers()
    })
    return { keepAlive, said }
  }

  it('asks after one interval of silence and gives up after two', () => {
    const { said } = started()
    vi.advanceTimersByTime(200)
    expect(said).toEqual(['asked at 100'])
    vi.runAllTimers() // the immediate, which these timers count as one millisecond
    expect(said).toEqual(['asked at 100', 'gave up at 201'])
  })

  it('counts from what was heard last', () => {
    const { keepAlive, said } = started()
    vi.advanceTimersByTime(60)
    keepAlive.heard()
    vi.advanceTimersByTime(99)
    expect(said).toEqual([])
    vi.advanceTimersByTime(1)
    expect(said).toEqual(['asked at 160'])
    keepAlive.heard()
    vi.advanceTimersByTime(99)
    expect(said).toEqual(['asked at 160'])
  })

  it('looks once more at what has arrived before it gives up: it may have hung itself', () => {
    const { keepAlive, said } = started()
    vi.advanceTimersByTime(100)
    setTimeout(() => keepAlive.heard(), 100) // it is read in the turn in which the second timer has fired
    vi.advanceTimersByTime(150)
    expect(said).toEqual(['asked at 100'])
    vi.advanceTimersByTime(51)
    expect(said).toEqual(['asked at 100', 'asked at 301'])
  })

  it('says nothing once it is stopped', () => {
    const { keepAlive, said } = started()
    keepAlive.stop()
    vi.advanceTimersByTime(1000)
    expect(said).toEqual([])
  })
})
