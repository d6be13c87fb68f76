/** Cold start: from before pillion is imported until the first frame has come over a connection. */
const began = performance.now()
const { connect, listen } = await import('pillion')
const path = process.argv[2] as string
const server = await listen(path)
server.on('connection', (stream) => {
  stream.on('frame', () => {
    const took = performance.now() - began // before stdout is there: it needs node:net
    process.stdout.write(`${took}\n`, () => process.exit(0))
  })
})
const stream = await connect(path)
stream.send(Buffer.from('first'))
