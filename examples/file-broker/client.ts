/**
 * The client: opens nothing itself, and reads what the broker gives it.
 *
 *     npx tsx examples/file-broker/client.ts @file-broker / /PATH …
 *
 * A path that ends with a slash is listed. However deep it leads, it costs one round trip: each step is a call on what the
 * step before has yet to return.
 */
import { readFileSync } from 'node:fs'
import { dial, type RpcPromise, type RpcStub } from 'pillion/rpc'
import type { Directory } from './files.js'

const [address = '@file-broker', ...paths] = process.argv.slice(2)
using root = await dial<Directory>(address)
for (const path of paths) {
  await show(root, path.replace(/^\//, '').split('/')).catch((error: Error) => {
    console.error(error.message)
    process.exitCode = 1
  })
}

async function show(at: RpcStub<Directory> | RpcPromise<Directory>, [step = '', ...rest]: string[]): Promise<void> {
  if (rest.length > 0) {
    using below = at.directory(step)
    await show(below, rest)
  } else if (step === '') {
    for (const name of await at.list()) console.log(name)
  } else {
    using file = await at.open(step)
    process.stdout.write(readFileSync(file.fd))
  }
}
