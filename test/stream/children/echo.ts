/** Connects to a path and sends every frame back, spinning for the next one, until the other side has ended. */
import { connect } from '../../../src/stream/index.js'

const [path = '', readiness = 'level'] = process.argv.slice(2)
const stream = await connect(path, { busyPoll: 500, readiness: readiness as 'level' })
stream.onBatch((batch) => {
  for (let i = 0; i < batch.length; i++) {
    const { payload, descriptors } = batch.frame(i)
    stream.send(payload, descriptors, { transfer: true })
  }
})
stream.on('end', () => void stream.end())
await stream.closed
