/** Our own codecs pass the kit, and codecs with a fault each do not. */
import { describe, expect, it } from 'vitest'
import {
  type Codec,
  type CodecConnection,
  capnp,
  capnpMessage,
  contentLength,
  dbus,
  delimited,
  type FrameReader,
  type FrameWriter,
  lengthPrefixed,
  pillion,
  raw,
  varlink,
  wayland,
} from '../../src/framing/index.js'
import { type ConformanceOptions, conformanceChecks, type SampleFrame } from '../../src/framing/testing/index.js'
import { dbusMessage, waylandMessage } from '../support/messages.js'

function sample(payload: string | Uint8Array, descriptors = 0): SampleFrame {
  return { payload: Buffer.from(payload), descriptors }
}

const texts = [
  sample('first'),
  sample('second', 2),
  sample('3'),
  sample('the fourth', 1),
  sample('5th', 3),
  sample('6'),
]
const withEmpty = [sample(''), ...texts, sample(''), sample('x'.repeat(70), 2), sample('')]

/** Bodies of these sizes behind a length of 2 bytes that stands 3 bytes into the frame and counts them all. */
const records = [0, 4, 30].map((size, i) => {
  const record = Buffer.alloc(5 + size, 0x61 + i)
  record.writeUInt16LE(record.length, 3)
  return sample(record, i)
})

const messages = [[0], [3], [2, 1], [0, 0, 1], [1, 4, 0, 0]].map((words, i) =>
  sample(Buffer.concat(capnpMessage(words.map((count) => Buffer.alloc(8 * count, i + 1)))), [0, 2, 0, 1, 0][i]),
)

const lines = ['\0AUTH EXTERNAL 30\r\n', 'NEGOTIATE_UNIX_FD\r\n', 'BEGIN\r\n'].map((line) => sample(line))
const signals = [
  sample(dbusMessage()),
  sample(dbusMessage({ descriptors: 2, body: Buffer.from('two'), endian: 'B' }), 2),
  sample(dbusMessage({ body: Buffer.alloc(33) })),
  sample(dbusMessage({ descriptors: 1, path: '/a/long/path/that/reaches/far' }), 1),
  sample(dbusMessage({ descriptors: 3 }), 3),
]

/** Opcode 7 of any object bears two descriptors, opcode 1 one. */
const count = (_object: number, opcode: number) => (opcode === 7 ? 2 : opcode === 1 ? 1 : 0)
const events = [
  sample(waylandMessage(1, 0, 2)),
  sample(waylandMessage(3, 7), 2),
  sample(waylandMessage(3, 0, 5)),
  sample(waylandMessage(0xff000001, 1, 3), 1),
  sample(waylandMessage(4, 1), 1),
  sample(waylandMessage(1, 65_535, 1)),
]

interface Subject {
  readonly codec: Codec
  readonly samples: readonly SampleFrame[]
  readonly options?: ConformanceOptions
}

const withItself = { bytes: 8, endian: 'little', includesHeader: true } as const
const withOffset = { bytes: 2, endian: 'little', includesHeader: true, offset: 3 } as const
const subjects: Readonly<Record<string, Subject>> = {
  'pillion()': { codec: pillion(), samples: withEmpty },
  'lengthPrefixed()': { codec: lengthPrefixed(), samples: withEmpty },
  'lengthPrefixed() of 1 byte': { codec: lengthPrefixed({ bytes: 1 }), samples: withEmpty },
  'lengthPrefixed() of 8 bytes that count themselves': { codec: lengthPrefixed(withItself), samples: withEmpty },
  'lengthPrefixed() with bytes ahead of the length': { codec: lengthPrefixed(withOffset), samples: records },
  'capnp()': { codec: capnp(), samples: messages },
  "dbus({ auth: 'done' })": { codec: dbus({ auth: 'done' }), samples: signals },
  'dbus() to a server, from its text phase on': {
    codec: dbus(),
    samples: [...lines, ...signals],
    options: { receiver: dbus({ auth: 'server' }) },
  },
  'wayland()': { codec: wayland(count), samples: events },
  'varlink()': { codec: varlink(), samples: texts },
  'delimited()': { codec: delimited(0x0a), samples: withEmpty },
  'contentLength()': { codec: { ...contentLength(), defaults: {} }, samples: withEmpty },
  'raw()': { codec: raw(), samples: texts },
}

describe.each(Object.entries(subjects))('%s', (_name, { codec, samples, options }) => {
  for (const check of conformanceChecks(codec, samples, options)) it(check.name, () => check.run())
})

/** A codec of which the tests change what it does. */
function spoilt(change: (reader: FrameReader, writer: FrameWriter) => Partial<CodecConnection>): Codec {
  const codec = delimited(0x0a)
  return {
    ...codec,
    connection(limits) {
      const connection = codec.connection(limits)
      return { ...connection, ...change(connection.reader, connection.writer) }
    },
  }
}

/** The names of the checks that it does not pass. */
function failures(codec: Codec, samples = texts): string[] {
  return conformanceChecks(codec, samples).flatMap((check) => {
    try {
      check.run()
      return []
    } catch {
      return [check.name]
    }
  })
}

/** `reader` with another `measure`; the other fields are its own. */
function measuring(reader: FrameReader, measure: FrameReader['measure']): FrameReader {
  return new Proxy(reader, {
    get: (target, key) => (key === 'measure' ? measure : Reflect.get(target, key, target)),
  })
}

describe('the kit', () => {
  it('finds a reader that asks for no more than there is', () => {
    const codec = spoilt((reader) => ({
      reader: new Proxy(reader, { get: (target, key) => (key === 'need' ? 1 : bound(target, key)) }),
    }))
    expect(failures(codec)).toContain('is right at every size of reads')
  })

  it('finds a reader that changes the bytes', () => {
    const codec = spoilt((reader) => ({
      reader: measuring(reader, (bytes, start, end, origin) => {
        const length = reader.measure(bytes, start, end, origin)
        if (length > 1) bytes[start]!++
        return length
      }),
    }))
    expect(failures(codec)).toContain('is right at every size of reads')
  })

  it('finds a reader that looks past the end of what is there', () => {
    const codec = spoilt((reader) => ({
      reader: measuring(reader, (bytes, start, _end, origin) => reader.measure(bytes, start, bytes.length, origin)),
    }))
    expect(failures(codec)).toContain('is right at every size of reads')
  })

  it('finds a reader without a limit', () => {
    const codec = delimited(0x0a)
    const endless = { ...codec, connection: () => codec.connection({ maxPayload: 1 << 20, maxDescriptors: 10 }) }
    expect(failures(endless)).toEqual(['refuses what is over the limits, at both ends'])
  })

  it('finds an error that gives the wrong position', () => {
    const codec = pillion()
    const misplaced: Codec = {
      ...codec,
      connection(limits) {
        const { reader, writer } = codec.connection(limits)
        return { reader: measuring(reader, (bytes, start, end) => reader.measure(bytes, start, end, 0)), writer }
      },
    }
    expect(failures(misplaced)).toEqual(['ends in an error of ours, at the worst, whatever bytes come'])
  })

  it('finds state that connections share', () => {
    expect(failures(delimitedAnew())).toContain('keeps no state outside of its connections')
  })

  it('finds a writer that writes outside of its place', () => {
    const codec = spoilt((_reader, writer) => ({
      writer: { ...writer, writeSuffix: (into, at) => into.fill(0x0a, at, at + 2) },
    }))
    expect(failures(codec)).toContain('writes as much as it says, and nowhere else')
  })
})

/** All its connections share a reader. */
function delimitedAnew(): Codec {
  const codec = delimited(0x0a)
  const connection = codec.connection({ maxPayload: 1000, maxDescriptors: 10 })
  return { ...codec, connection: () => connection }
}

function bound(target: object, key: string | symbol): unknown {
  const value = Reflect.get(target, key, target) as unknown
  return typeof value === 'function' ? value.bind(target) : value
}
