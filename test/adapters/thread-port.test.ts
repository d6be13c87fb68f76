/**
 * Descriptors handed from thread to thread: the same number, no duplicate, and closed once whichever thread ends first.
 */
import { once } from 'node:events'
import { fstatSync, readdirSync, readlinkSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { MessageChannel, Worker } from 'node:worker_threads'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ThreadPort } from '../../src/adapters/message-port/index.js'
import { ClosedError, Descriptor } from '../../src/stream/index.js'
import { Mailbox, offerDescriptor, takeOffered } from '../../src/transport/index.js'

describe('a mailbox', () => {
  it('gives each descriptor once, its number unchanged', () => {
    const mailbox = new Mailbox()
    const file = Descriptor.memfd(1)
    const { fd } = file

    const id = offerDescriptor(file, mailbox.id)
    expect(file.closed).toBe(true)
    const taken = takeOffered(id)

    expect(taken.fd).toBe(fd)
    expect(() => takeOffered(id)).toThrow(ClosedError)
    taken.close()
    mailbox.close()
  })

  it('closes what is in it, and nothing is put in or forwarded to it any more', () => {
    const [mailbox, other] = [new Mailbox(), new Mailbox()]
    const [first, second, third] = [Descriptor.memfd(1), Descriptor.memfd(1), Descriptor.memfd(1)]
    const fds = [first.fd, second.fd]
    const id = offerDescriptor(first, mailbox.id)
    offerDescriptor(second, other.id)

    mailbox.close()
    other.forward(mailbox.id)

    for (const fd of fds) expect(() => fstatSync(fd)).toThrow('EBADF')
    expect(() => takeOffered(id)).toThrow(ClosedError)
    expect(() => offerDescriptor(third, mailbox.id)).toThrow(ClosedError)
    expect(third.closed).toBe(false)
    third.close()
    expect(() => offerDescriptor(third, other.id)).toThrow(ClosedError)
    other.close()
  })
})

describe('a ThreadPort', () => {
  it('hands over a thousand descriptors and gets them back, the numbers unchanged', async () => {
    const port = new ThreadPort(worker('echo'))
    const received: { number: number; fd: number; fds: readonly number[] }[] = []
    const all = new Promise<void>((resolve) => {
      port.on('message', (message) => {
        const { number, descriptors, fds } = message as { number: number; descriptors: Descriptor[]; fds: number[] }
        expect(descriptors.map(({ fd }) => fd)).toEqual(fds)
        for (const [i, descriptor] of descriptors.entries()) {
          expect(numberOf(descriptor)).toBe(number + i)
          received.push({ number: number + i, fd: descriptor.fd, fds })
          descriptor.close()
        }
        if (received.length === 1000) resolve()
      })
    })
    for (let number = 0; number < 1000; number += 10) {
      const descriptors = Array.from({ length: 10 }, (_, i) => numbered(number + i))
      port.postMessage({ number, descriptors, fds: descriptors.map(({ fd }) => fd) }, descriptors)
      expect(descriptors.every(({ closed }) => closed)).toBe(true)
    }
    await all
    expect(received.map(({ number }) => number)).toEqual(Array.from({ length: 1000 }, (_, i) => i))
    await ended(port)
  })

  it('posts a duplicate of what is not transferred, and leaves the caller its own when a message cannot be cloned', async () => {
    const { port1, port2 } = new MessageChannel()
    const [near, far] = [new ThreadPort(port1), new ThreadPort(port2)]
    using file = numbered(7)

    expect(() => near.postMessage({ file, call: () => {} }, [file])).toThrow('could not be cloned')
    expect(() => near.postMessage(new Error('failed', { cause: { file } }))).toThrow(
      'a Descriptor is in an instance of Error',
    )
    near.postMessage(file)
    const received = await new Promise<Descriptor>((resolve) =>
      far.once('message', (value) => resolve(value as Descriptor)),
    )

    expect([file.closed, numberOf(received), received.fd === file.fd]).toEqual([false, 7, false])
    received.close()
    near.close()
    await new Promise<void>((resolve) => far.once('close', () => resolve()))
    expect(() => near.postMessage(1)).toThrow(ClosedError)
  })

  it('leaves nothing open when the thread ends that never took what was posted', async () => {
    const before = memfds()
    const thread = worker('deaf')
    const port = new ThreadPort(thread)
    await new Promise((resolve) => port.once('message', resolve)) // it turns its loop no more
    for (let i = 0; i < 100; i++) {
      const file = numbered(i)
      port.postMessage([file], [file])
    }
    expect(memfds()).toBe(before + 100)

    await thread.terminate()

    expect(memfds()).toBe(before)
    const late = numbered(0)
    expect(() => port.postMessage([late], [late])).toThrow(ClosedError)
    late.close()
  })

  it('takes what a thread has posted that has ended meanwhile', async () => {
    // In what portions its messages come is chance: often all at once, the one with its mailbox too.
    for (let i = 0; i < 20; i++) {
      const thread = worker('gives')
      const port = new ThreadPort(thread)
      await once(thread, 'exit')
      const message = await new Promise<unknown>((resolve, reject) => {
        port.on('messageerror', reject)
        port.on('message', resolve)
      })

      const { descriptors } = message as { descriptors: Descriptor[] }
      expect(descriptors.map(({ fd }) => fstatSync(fd).size)).toEqual([1, 2, 3])
      for (const descriptor of descriptors) descriptor.close()
    }
  })

  it('closes the descriptors of a message whose value cannot be read, and delivers the next one', async () => {
    const before = memfds()
    const { port1, port2 } = new MessageChannel()
    const told = once(port1, 'message') // port1 is the other thread, as far as the port can tell
    const port = new ThreadPort(port2)
    const { id } = (await told)[0] as { id: number }
    const messages: unknown[] = []
    const failed = new Promise<unknown>((resolve) => port.on('messageerror', resolve))
    port.on('message', (message) => messages.push(message))
    const unread = offerDescriptor(numbered(1), id)

    port2.emit('messageerror', new TypeError('not to be made in this context')) // which Node tells in place of the value
    port1.postMessage({ pillion: 'descriptors', ids: [unread] })
    port1.postMessage({ pillion: 'value', value: 'next', count: 0 })

    expect(await failed).toBeInstanceOf(TypeError)
    await expect.poll(() => messages.at(-1)).toBe('next')
    expect(messages).toEqual(['next'])
    expect(memfds()).toBe(before)
    await ended(port)
  })

  it('passes over what others post on its port', async () => {
    const { port1, port2 } = new MessageChannel()
    const port = new ThreadPort(port2)
    const received = new Promise((resolve) => port.once('message', resolve))
    for (const foreign of [null, undefined, 1, 'text', {}]) port1.postMessage(foreign)

    const other = new ThreadPort(port1)
    other.postMessage('ours')

    expect(await received).toBe('ours')
    port.close()
  })

  it('closes what comes and is never taken when it is closed', async () => {
    const before = memfds()
    const { port1, port2 } = new MessageChannel()
    const [near, far] = [new ThreadPort(port1), new ThreadPort(port2)]
    await Promise.all([near.ready, far.ready])
    const file = numbered(1)
    near.postMessage(file, [file])
    expect(memfds()).toBe(before + 1)

    far.close() // it was never started
    expect(memfds()).toBe(before)
    await new Promise<void>((resolve) => near.once('close', () => resolve()))
  })
})

function worker(does: string): Worker {
  const thread = new Worker(join(import.meta.dirname, 'children', 'thread.mjs'), { workerData: does })
  onTestFinished(async () => {
    await thread.terminate()
  })
  return thread
}

async function ended(port: ThreadPort): Promise<void> {
  const closed = new Promise<void>((resolve) => port.once('close', () => resolve()))
  port.close()
  await closed
}

function numbered(number: number): Descriptor {
  const content = Buffer.alloc(4)
  content.writeUInt32LE(number)
  return Descriptor.memfd(content, { name: 'thread-port' })
}

function numberOf({ fd }: Descriptor): number {
  const content = Buffer.alloc(4)
  readSync(fd, content, 0, 4, 0)
  return content.readUInt32LE()
}

/** Of this test's, that are open in this process. */
function memfds(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('/memfd:thread-port ')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      return false // the one that was reading the folder
    }
  }).length
}
