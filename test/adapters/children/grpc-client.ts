/** A grpc client at the path that is its argument: prints who the server says it is, and the sum of what it streams; ends by itself. */
import { ask, clientOf } from '../support/grpc-service.js'

const client = clientOf(process.argv[2] as string)
const who = await ask(client, 'whoAmI')
const sum = await new Promise((resolve, reject) => {
  const stream = client.sum((error, answer) => (error === null ? resolve(answer) : reject(error)))
  for (let i = 1; i <= 100; i++) stream.write(i)
  stream.end()
})
console.log(JSON.stringify({ who, sum }))
client.close()
