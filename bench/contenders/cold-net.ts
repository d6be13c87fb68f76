/** The same by node:net, with a header of four bytes. */
const began = performance.now()
const { connect, createServer } = await import('node:net')
const path = process.argv[2] as string
createServer((socket) => {
  socket.on('data', (chunk: Buffer) => {
    if (chunk.readUInt32LE(0) !== chunk.length - 4) throw new Error('five bytes came in two chunks')
    const took = performance.now() - began
    process.stdout.write(`${took}\n`, () => process.exit(0))
  })
}).listen(path, () => {
  const socket = connect(path, () => socket.write(Buffer.from('\x05\x00\x00\x00first')))
})
