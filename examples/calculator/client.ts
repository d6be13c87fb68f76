/**
 * Calculations, each in one round trip, however many calls it takes: what a call will return can be called, and be an
 * argument, before it is there. The messages are counted: none of them waits for an answer to another.
 *
 *     npx tsx examples/calculator/client.ts @calculator
 */
import { connect } from 'pillion'
import { RpcSession } from 'pillion/rpc'
import type { Calculator } from './calculator.js'

const [address = '@calculator'] = process.argv.slice(2)
const stream = await connect(address)
await using session = new RpcSession<Calculator>(stream)
using calculator = session.getRemoteMain()

{
  const count = await countMessages()
  using subtract = calculator.operator('subtract')
  using add = calculator.operator('add')
  using value = calculator.evaluate({ call: subtract, params: [{ call: add, params: [123, 45] }, 67] })
  console.log(`123 + 45 - 67 = ${await value.read()}: ${count()}`)
}
{
  // Values stay at the calculator: this one is used twice, and never comes here.
  const count = await countMessages()
  using multiply = calculator.operator('multiply')
  using add = calculator.operator('add')
  using value = calculator.evaluate({ call: multiply, params: [4, 6] })
  using left = calculator.evaluate({ call: add, params: [value, 3] })
  using right = calculator.evaluate({ call: add, params: [value, 5] })
  using product = calculator.evaluate({ call: multiply, params: [left, right] })
  console.log(`(4 * 6 + 3) * (4 * 6 + 5) = ${await product.read()}: ${count()}`)
}
{
  // f(x, y) = x * 100 + y, and g(x) = f(x, x + 1) * 2, which is made of it.
  const count = await countMessages()
  using multiply = calculator.operator('multiply')
  using add = calculator.operator('add')
  const [x, y] = [{ parameter: 0 }, { parameter: 1 }]
  using f = calculator.defineFunction(2, { call: add, params: [{ call: multiply, params: [x, 100] }, y] })
  const next = { call: add, params: [x, 1] }
  using g = calculator.defineFunction(1, { call: multiply, params: [{ call: f, params: [x, next] }, 2] })
  console.log(`g(21) = ${await g(21)}: ${count()}`)
}
{
  // A function of ours, which the calculator calls back.
  const called: string[] = []
  const power = (base: number, exponent: number) => {
    called.push(`${base} ^ ${exponent}`)
    return base ** exponent
  }
  using add = calculator.operator('add')
  using value = calculator.evaluate({ call: power, params: [2, { call: add, params: [4, 5] }] })
  console.log(`2 ^ (4 + 5) = ${await value.read()}: called back for ${called}`)
}

/** What is sent before anything can come back. What follows is no call: it only lets go of what is not needed any more. */
async function countMessages(): Promise<() => string> {
  await new Promise(setImmediate) // what came before has left
  const before = stream.stats.sent.frames
  let sent = 0
  process.nextTick(() => {
    sent = stream.stats.sent.frames - before
  })
  return () => `${sent} messages, all before the first answer`
}
