/**
 * pillion: `pillion` (onBatch), `pillion-event`, `pillion-for-await`, and `pillion-busy` (onBatch with busyPoll).
 */
import { openSync } from 'node:fs'
import { connect, Descriptor, type FrameStream, listen, type StreamOptions } from 'pillion'
import { carryFrames } from '../roles/frames.js'
import type { Link, OnFrame } from '../roles/link.js'
import type { Setting } from '../roles/setting.js'

const MiB = 1024 * 1024

const file = Descriptor.own(openSync('/dev/null', 'r'))

function optionsOf({ contender, payload }: Setting): StreamOptions {
  return {
    ...(contender === 'pillion-busy' ? { busyPoll: 100 } : {}),
    ...(payload >= 64 * 1024 ? { sendBuffer: MiB } : {}),
    ...(payload > 16 * MiB ? { maxPayload: payload, memfdFrom: MiB } : {}),
  }
}

function linkOf(stream: FrameStream, descriptors: number): Link {
  const files = Array.from({ length: descriptors }, () => file)
  return {
    send: (payload, count) => {
      if (count === 0) stream.send(payload)
      else stream.send(payload, files)
    },
    flood: async (next) => {
      for (let payload = next(); payload !== undefined; payload = next()) {
        if (!(descriptors === 0 ? stream.send(payload) : stream.send(payload, files))) await stream.drained()
      }
    },
  }
}

function consume(stream: FrameStream, { contender, descriptors }: Setting, onFrame: OnFrame): void {
  stream.on('error', () => {}) // the client ends as it likes
  if (contender === 'pillion-event') {
    stream.on('frame', (frame) => {
      onFrame(frame.payload, 0, frame.payload.length, frame.descriptors.length)
      if (descriptors > 0) frame[Symbol.dispose]()
    })
  } else if (contender === 'pillion-for-await') {
    void iterate(stream, onFrame)
  } else {
    stream.onBatch((batch) => {
      const { bytes, length } = batch
      for (let i = 0; i < length; i++) {
        onFrame(bytes, batch.start(i), batch.end(i), descriptors === 0 ? 0 : batch.descriptors(i).length)
      }
    })
  }
}

async function iterate(stream: FrameStream, onFrame: OnFrame): Promise<void> {
  for await (const frame of stream) {
    onFrame(frame.payload, 0, frame.payload.length, frame.descriptors.length)
    frame[Symbol.dispose]()
  }
}

await carryFrames({
  listen: async (setting, accept) => {
    const server = await listen(setting.path, optionsOf(setting))
    server.on('connection', (stream) => consume(stream, setting, accept(linkOf(stream, setting.descriptors))))
  },
  connect: async (setting, onFrame) => {
    const stream = await connect(setting.path, optionsOf(setting))
    consume(stream, setting, onFrame)
    return linkOf(stream, setting.descriptors)
  },
})
