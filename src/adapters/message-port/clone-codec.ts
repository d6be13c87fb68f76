/**
 * Structured clones as bytes, by V8's own serializer, with places for descriptors: what Node's MessagePort posts, except
 * for what is tied to a process (ports, shared memory). The bytes are V8's, so that both ends need about the same Node.
 */
import { DefaultDeserializer, DefaultSerializer } from 'node:v8'
import { UsageError } from '../../errors.js'
import { Descriptor } from '../../stream/index.js'

const isDescriptor = 0
const isView = 1

/** Stands for a descriptor: V8 asks about views, and not about other objects. */
export class DescriptorPlace extends Uint8Array {
  readonly index: number

  constructor(index: number) {
    super(0)
    this.index = index
  }
}

/** Throws UsageError for what cannot be cloned. */
export function serialized(value: unknown): Uint8Array {
  const serializer = new CloneSerializer()
  try {
    serializer.writeHeader()
    serializer.writeValue(value)
    return serializer.releaseBuffer()
  } catch (error) {
    throw new UsageError(`the message cannot be cloned: ${(error as Error).message}`, { cause: error })
  }
}

/** Throws what V8 throws for bytes that are none of its. @param used is told of each descriptor that is referred to */
export function deserialized(
  bytes: Uint8Array,
  descriptors: readonly Descriptor[],
  used: (descriptor: Descriptor) => void,
): unknown {
  const deserializer = new CloneDeserializer(bytes, descriptors, used)
  deserializer.readHeader()
  return deserializer.readValue()
}

class CloneSerializer extends DefaultSerializer {
  /** V8 calls it for each view. */
  _writeHostObject(object: NodeJS.ArrayBufferView): void {
    if (object instanceof DescriptorPlace) {
      this.writeUint32(isDescriptor)
      this.writeUint32(object.index)
    } else {
      this.writeUint32(isView)
      ;(DefaultSerializer.prototype as unknown as Host)._writeHostObject.call(this, object)
    }
  }
}

class CloneDeserializer extends DefaultDeserializer {
  readonly #descriptors: readonly Descriptor[]
  readonly #used: (descriptor: Descriptor) => void

  constructor(bytes: Uint8Array, descriptors: readonly Descriptor[], used: (descriptor: Descriptor) => void) {
    super(bytes as Buffer)
    this.#descriptors = descriptors
    this.#used = used
  }

  _readHostObject(): unknown {
    if (this.readUint32() !== isDescriptor) {
      return alone((DefaultDeserializer.prototype as unknown as Host)._readHostObject.call(this))
    }
    const descriptor = this.#descriptors[this.readUint32()]
    if (!(descriptor instanceof Descriptor)) throw new RangeError('it refers to a descriptor that is not there')
    this.#used(descriptor)
    return descriptor
  }
}

/** Documented for subclasses, and missing in the types. */
interface Host {
  _writeHostObject(object: NodeJS.ArrayBufferView): void
  _readHostObject(): NodeJS.ArrayBufferView
}

/**
 * A view of memory that holds nothing else. V8's own lies in the message, or in a pool of Node's: its `buffer` would have
 * all that is beside it.
 */
function alone(view: NodeJS.ArrayBufferView): NodeJS.ArrayBufferView {
  const { buffer, byteOffset, byteLength } = view
  const memory = buffer.slice(byteOffset, byteOffset + byteLength)
  if (Buffer.isBuffer(view)) return Buffer.from(memory as ArrayBuffer)
  return new (view.constructor as new (memory: ArrayBufferLike) => NodeJS.ArrayBufferView)(memory)
}
