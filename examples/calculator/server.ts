/**
 * The calculator: evaluates what it is sent, in which functions of its own and of its clients may be called.
 *
 *     npx tsx examples/calculator/server.ts @calculator
 */
import { RpcError, RpcTarget, serve } from 'pillion/rpc'
import type { Calculator, Expression, NumberFunction, Operator, Value } from './calculator.js'

class Result extends RpcTarget implements Value {
  readonly #number: number

  constructor(number: number) {
    super()
    this.#number = number
  }

  read(): number {
    return this.#number
  }
}

const operators: ReadonlyMap<string, NumberFunction> = new Map([
  ['add', (a: number, b: number) => a + b],
  ['subtract', (a: number, b: number) => a - b],
  ['multiply', (a: number, b: number) => a * b],
  ['divide', (a: number, b: number) => a / b],
])

class CalculatorServer extends RpcTarget implements Calculator {
  async evaluate(expression: Expression): Promise<Value> {
    return new Result(await evaluate(expression, []))
  }

  operator(name: Operator): NumberFunction {
    const operator = operators.get(name)
    if (operator === undefined) throw new RpcError('failed', `there is no operator ${name}`)
    return operator
  }

  defineFunction(paramCount: number, body: Expression): NumberFunction {
    const kept = keep(body)
    const defined = (...params: number[]) => {
      if (params.length === paramCount) return evaluate(kept, params)
      throw new RpcError('failed', `the function takes ${paramCount} parameters, not ${params.length}`)
    }
    // Called when no client has the function any more.
    return Object.assign(defined, { [Symbol.dispose]: () => release(kept) })
  }
}

async function evaluate(expression: Expression, params: readonly number[]): Promise<number> {
  if (typeof expression === 'number') return expression
  if ('parameter' in expression) {
    const value = params[expression.parameter]
    if (value === undefined) throw new RpcError('failed', `there is no parameter ${expression.parameter}`)
    return value
  }
  if (!('call' in expression)) return expression.read()
  const numbers = await Promise.all(expression.params.map((param) => evaluate(param, params)))
  return expression.call(...numbers)
}

/** Arguments are lent: what is to be kept beyond the call needs references of its own. */
function keep(expression: Expression): Expression {
  if (typeof expression === 'number' || 'parameter' in expression) return expression
  if (!('call' in expression)) return expression.dup()
  return { call: expression.call.dup(), params: expression.params.map(keep) }
}

function release(expression: Expression): void {
  if (typeof expression === 'number' || 'parameter' in expression) return
  const kept = 'call' in expression ? expression.call : expression
  kept[Symbol.dispose]()
  if ('call' in expression) expression.params.forEach(release)
}

const [address = '@calculator'] = process.argv.slice(2)
const server = await serve(address, new CalculatorServer())
process.once('SIGTERM', () => void server.close({ drain: 1000 }))
console.log(`calculating at ${address}`)
