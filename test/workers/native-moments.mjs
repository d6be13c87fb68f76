/**
 * Brings the addon into one state, says so, and waits there to be terminated. Plain JavaScript over the addon itself:
 * Node 20 starts no other in a worker, and a thread is terminated at its most naked here.
 */
import { createRequire } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'

const { addon, moment, edge } = workerData
const ready = () => parentPort.postMessage('ready')
if (moment === 'loading the addon') ready()
const binding = createRequire(import.meta.url)(addon)
const readable = 1
const writable = 2
const stream = 1
const seqpacket = 5
const sentMessages = 7 // in `control`

const slab = new Uint8Array(256 * 1024)
binding.setSlab(slab)
binding.setCallbacks(
  function () {
    this.on.readable()
  },
  function () {
    this.on.writable()
  },
)
const kept = []
const spin = () => {
  ready()
  for (;;);
}

/** Two ends; what their callbacks do can be set later. With a spill they keep messages. */
function pair(spill) {
  const [left, right] = binding.socketPair(spill === undefined ? stream : seqpacket).map((fd) => {
    const on = { readable() {}, writable() {} }
    const socket = Object.assign(new binding.Socket(fd, edge, spill !== undefined), { on, fd })
    socket.configure(253, 0, true, false)
    if (spill !== undefined) {
      binding.stampMessages(fd)
      socket.lend(spill, 0)
    }
    kept.push(socket)
    return { socket, on }
  })
  return [left, right]
}

function send(socket, bytes, fds = []) {
  binding.plan.set([1, fds.length, fds.length > 0 ? 1 : 0, 0, 0, bytes.length, ...fds])
  return socket.send(1, [bytes])
}

const moments = {
  idle() {
    for (const { socket } of pair()) socket.watch(readable)
    ready()
  },
  'reading in a callback'() {
    const [left, right] = pair()
    left.on.readable = spin
    left.socket.watch(readable)
    send(right.socket, new Uint8Array(100_000), [binding.memfd('set', 10, 0)])
  },
  'writing in a callback'() {
    const [left] = pair()
    left.on.writable = spin
    left.socket.watch(writable)
  },
  'accepting in a callback'() {
    const listening = binding.bindSocket(Buffer.from(`\0pillion-moments-${process.pid}-${Math.random()}`), 0)
    binding.listenSocket(listening, 1)
    const watcher = new binding.Watcher(listening, spin)
    kept.push(watcher)
    watcher.watch(true)
    kept.push(binding.connectSocket(binding.socketState(listening).name))
  },
  'flooded for ever'() {
    const [left, right] = pair()
    const bytes = new Uint8Array(64 * 1024)
    right.on.writable = () => {
      while (send(right.socket, bytes) > 0);
    }
    right.socket.watch(writable)
    let calls = 0
    left.on.readable = () => {
      if (++calls === 20) ready()
    }
    left.socket.watch(readable)
  },
  'sending without end'() {
    const [left] = pair()
    const bytes = new Uint8Array(64 * 1024)
    ready()
    for (;;) send(left.socket, bytes)
  },
  'asking without end'() {
    const [fd] = binding.socketPair(1)
    ready()
    for (;;) {
      binding.socketState(fd)
      binding.peerCredentials(fd)
      binding.fileIdentity(fd)
    }
  },
  'making sockets without end'() {
    ready()
    for (;;) for (const { socket } of pair()) socket.close()
  },
  'loading the addon'() {},
  'much to be handed over later'() {
    // Told once, and put off again and again: by edge these are deferred.
    for (let i = 0; i < 50; i++) {
      const [left, right] = pair()
      right.socket.watch(readable | writable)
      left.socket.watch(readable | writable)
    }
    ready()
  },
  'lent memory and unconsumed bytes'() {
    const [left, right] = pair()
    left.socket.lend(new Uint8Array(1000), 0)
    left.on.readable = () => {
      binding.control[1] = 0
      ready()
    }
    left.socket.watch(readable)
    send(right.socket, new Uint8Array(2000), [binding.memfd('set', 10, 0)])
  },
  'messages in a callback, one of them spilled'() {
    const [left, right] = pair(new Uint8Array(400_000))
    left.on.readable = spin
    left.socket.watch(readable)
    binding.setSendBuffer(right.socket.fd, 1_000_000)
    for (const length of [0, 1, 100_000, 300_000])
      send(right.socket, new Uint8Array(length), [binding.memfd('set', 10, 0)])
  },
  'messages without end'() {
    const [left, right] = pair(new Uint8Array(1000))
    right.on.writable = () => {
      do send(right.socket, new Uint8Array(0), [binding.memfd('set', 10, 0)])
      while (binding.control[sentMessages] === 1)
    }
    right.socket.watch(writable)
    let calls = 0
    left.on.readable = () => {
      if (++calls === 20) ready()
    }
    left.socket.watch(readable)
  },
  'closed handles not yet told'() {
    for (let i = 0; i < 20; i++) {
      for (const { socket } of pair()) {
        socket.watch(readable)
        socket.close()
      }
    }
    ready()
    for (;;);
  },
  'exiting in a callback'() {
    const [left, right] = pair()
    left.on.readable = () => {
      ready()
      process.exit(3)
    }
    left.socket.watch(readable)
    right.socket.watch(readable)
    send(right.socket, new Uint8Array(1), [binding.memfd('set', 10, 0)])
  },
  'throwing in a callback'() {
    const [left, right] = pair()
    left.on.readable = () => {
      ready()
      throw new Error('on purpose')
    }
    left.socket.watch(readable)
    send(right.socket, new Uint8Array(1), [binding.memfd('set', 10, 0)])
  },
  'forgotten and half collected'() {
    for (let i = 0; i < 200; i++) pair()
    kept.length = 0
    globalThis.gc?.()
    ready()
  },
}

moments[moment]()
if (moment !== 'exiting in a callback') setInterval(() => {}, 1_000_000)
