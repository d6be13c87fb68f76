/**
 * Dials the address of its first argument and calls `work` with a function, prints a line when that was called back, and
 * waits for what never returns. With a second argument `echo` it prints what `echo('hello')` gives, and ends with its input.
 */
import { dial, type RpcTarget } from '../../../src/rpc/index.js'

interface Main extends RpcTarget {
  work(started: () => void): Promise<void>
  echo(text: string): string
}

const [address = '', what] = process.argv.slice(2)
const api = await dial<Main>(address)
if (what === 'echo') {
  console.log(JSON.stringify(await api.echo('hello')))
  process.stdin.resume().once('end', () => api[Symbol.dispose]())
} else {
  await api.work(() => console.log('"started"'))
}
