/** What the calculator serves, as both processes know it: types alone. After Cap'n Proto's classic sample. */
import type { RpcStub, RpcTarget } from 'pillion/rpc'

/** A number that lives at the calculator until it is read. */
export interface Value extends RpcTarget {
  read(): number
}

/** At either side: the calculator calls those of its clients back. Where a stub is asked for, the function itself does. */
export type NumberFunction = (...params: number[]) => number | Promise<number>

export type Operator = 'add' | 'subtract' | 'multiply' | 'divide'

export type Expression =
  | number
  | RpcStub<Value>
  /** Of the function whose body it is in. */
  | { readonly parameter: number }
  | { readonly call: RpcStub<NumberFunction>; readonly params: readonly Expression[] }

export interface Calculator extends RpcTarget {
  evaluate(expression: Expression): Promise<Value>
  operator(name: Operator): NumberFunction
  defineFunction(paramCount: number, body: Expression): NumberFunction
}
