/**
 * The types of stubs: what T looks like from the other side of a session. Types alone.
 */
import type { Descriptor } from '../../transport/index.js'
import type { RpcTarget } from '../rpc-target.js'

// biome-ignore lint/suspicious/noExplicitAny: a function of any signature can be passed
type AnyFunction = (...args: any[]) => unknown

/** What is passed by reference. */
type ByReference = RpcTarget | AnyFunction

/** What a value is once it has come over. */
export type Received<T> =
  T extends PromiseMark<infer U>
    ? Received<U>
    : T extends StubMark<infer U>
      ? RpcStub<U>
      : T extends ByReference
        ? RpcStub<T>
        : T extends Atom
          ? T
          : T extends Map<infer K, infer V>
            ? Map<Received<K>, Received<V>>
            : T extends Set<infer V>
              ? Set<Received<V>>
              : T extends AsyncIterable<infer V>
                ? AsyncIterable<Received<V>>
                : T extends object
                  ? { [K in keyof T]: Received<T[K]> }
                  : T

/** What a call returned: its caller's, with all that is in it, to dispose of. */
export type Returned<T> = T extends ByReference | Atom | StubMark<unknown> | PromiseMark<unknown>
  ? Received<T>
  : T extends object
    ? Received<T> & Disposable
    : Received<T>

/** What a parameter of type T may be given as: a stub, or a promise of it, does as well. */
export type Sendable<T> =
  | (T extends AnyFunction ? Callback<T> : T)
  | StubMark<T>
  | PromiseMark<T>
  | (T extends ByReference | Atom ? never : T extends object ? { [K in keyof T]: Sendable<T[K]> } : never)

/** A function that is called from the other side: its arguments are received there, and what it returns may be promised. */
type Callback<F extends AnyFunction> = F extends (...args: infer A) => infer R
  ? (...args: { [K in keyof A]: Received<A[K]> }) => CallbackResult<R>
  : never

// biome-ignore lint/suspicious/noConfusingVoidType: nobody looks at what such a function returns
type CallbackResult<R> = [R] extends [void] ? unknown : Sendable<Awaited<R>> | PromiseLike<Sendable<Awaited<R>>>

type Atom =
  | string
  | number
  | boolean
  | bigint
  | null
  | undefined
  | Date
  | RegExp
  | URL
  | Error
  | ArrayBuffer
  | ArrayBufferView
  | ReadableStream
  | WritableStream
  | Descriptor

type SendableAll<A extends readonly unknown[]> = { [K in keyof A]: Sendable<A[K]> }

/** What a method of the result type R gives its caller. */
export type Result<R> = RpcPromise<Awaited<R>>

type Method<F> = F extends (...args: infer A) => infer R ? (...args: SendableAll<A>) => Result<R> : unknown

/** The members of T, as they can be used without waiting for it. */
type Members<T> =
  T extends StubMark<infer U>
    ? Members<U>
    : T extends AnyFunction
      ? Method<T>
      : T extends readonly (infer E)[]
        ? { readonly [i: number]: Member<E> }
        : T extends Atom
          ? unknown
          : T extends object
            ? { readonly [K in Exclude<keyof T, symbol | keyof Own>]: Member<T[K]> }
            : unknown

type Member<M> = M extends AnyFunction ? Method<M> & RpcPromise<M> : RpcPromise<Awaited<M>>

/** What stubs and promises have themselves: a remote member of the same name is out of reach. */
interface Own extends Disposable {
  /** Calls back once when whatever it stands for cannot be reached any more. */
  onRpcBroken(callback: (error: Error) => void): void
}

interface StubMark<T> {
  readonly [stubOf]: T
}

interface PromiseMark<T> {
  readonly [promiseOf]: T
}

interface StubOwn<T> extends Own, StubMark<T> {
  /** Another stub of the same, to be disposed of on its own. */
  dup(): RpcStub<T>
}

interface PromiseOwn<T> extends Own, PromiseMark<T> {
  dup(): RpcPromise<T>
  /**
   * Applies a function to each element of the array that is promised (or to what is promised, if that is no array and
   * not null or undefined), on the other side, in one round trip. The function is run once, here, with a stand-in: it
   * can call it, pass it on and return it, and do nothing else with it.
   */
  map<R>(apply: (element: RpcPromise<Element<T>>) => R): RpcPromise<Mapped<T, R>>
}

/**
 * Stands for an object on the other side. Its members can be called, and what they promise be called in turn, without
 * waiting. It holds the object until it is disposed.
 */
export type RpcStub<T> = Members<T> & StubOwn<T>

/** What a call will return: a promise, and until then a stub of it. */
export type RpcPromise<T> = Promise<Returned<T>> & Members<T> & PromiseOwn<T>

type Element<T> = T extends readonly (infer E)[] ? E : NonNullable<T>
type Mapped<T, R> = T extends readonly unknown[] ? Unpromised<R>[] : Unpromised<R> | Extract<T, null | undefined>
type Unpromised<R> = R extends PromiseMark<infer U> ? U : R

declare const stubOf: unique symbol
declare const promiseOf: unique symbol
