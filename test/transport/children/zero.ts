/** Owns descriptor 0. */
import { existsSync } from 'node:fs'
import { Descriptor } from '../../../src/transport/descriptor.js'

const descriptor = Descriptor.own(0)
const { fd, kind } = descriptor
descriptor.close()
const openAfterClose = existsSync('/proc/self/fd/0') // now: libuv's first stream opens a descriptor
process.stdout.write(`${JSON.stringify({ fd, kind, openAfterClose })}\n`)
