/**
 * The types of stubs: what T looks like from the other side of a session. Types alone.
 */
import type { Descriptor } from '../../transport/index.js'
import type { RpcTarget } from '../rpc-target.js'

// biome-ignore lint/suspicious/noExplicitAny: a function of any signature can be passed
type AnyFunction = (...args: any[]) => unknown

/** What is passed by reference. */
type ByReference = RpcTarget | AnyFunction

// biome-ignore lint/suspicious/noExplicitAny: what is made of any is any: `any extends never` is both true and false
type Anything = any

/** Whether it is `any`. */
type IsAny<T> = 0 extends 1 & T ? true : false

/** What a value is once it has come over. */
export type Received<T> = T extends never
  ? Anything
  : T extends PromiseMark<infer U>
    ? Received<U>
    : T extends StubMark<infer U>
      ? RpcStub<U>
      : T extends ByReference
        ? RpcStub<T>
        : T extends ReadableStream<infer C>
          ? ReadableStream<Received<C>>
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
export type Returned<T> = T extends never
  ? Anything
  : T extends ByReference | Atom | StubMark<unknown> | PromiseMark<unknown>
    ? Received<T>
    : T extends object
      ? Received<T> & Disposable
      : Received<T>

/**
 * What a parameter of type T may be given as. An object or a stub of it, whichever of the two T says; or a promise, of
 * the whole or of a part. (No promise in a map or set: there its place could not be filled.)
 */
export type Sendable<T> = unknown extends T ? T : Settled<T> | PromiseMark<T | Settled<T>>

/** The same without promises, at the top. */
type Settled<T> = unknown extends T ? T : Given<T> | StubMark<Unmarked<T>>

type Given<T> =
  T extends PromiseMark<infer U>
    ? Given<U>
    : T extends StubMark<infer U>
      ? Held<U>
      : T extends AnyFunction
        ? Callback<T>
        : T extends RpcTarget | Atom
          ? T
          : T extends ReadonlyMap<infer K, infer V>
            ? ReadonlyMap<Settled<K>, Settled<V>>
            : T extends ReadonlySet<infer V>
              ? ReadonlySet<Settled<V>>
              : T extends AsyncIterable<infer V>
                ? T | AsyncIterable<Sendable<V>>
                : T extends object
                  ? { readonly [K in keyof T]: Sendable<T[K]> }
                  : T

/** What a stub of T can be made of by passing it. */
type Held<T> = T extends AnyFunction ? Callback<T> : T & RpcTarget

/** What it is that marks stand for. */
type Unmarked<T> = T extends PromiseMark<infer U> ? Unmarked<U> : T extends StubMark<infer U> ? U : T

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

/** What a method of the result type R gives its caller. A stub of an object is told of as the object itself would be. */
export type Result<R> = RpcPromise<IsAny<R> extends true ? R : Plain<Awaited<R>>>

type Plain<T> =
  T extends PromiseMark<infer U> ? Plain<U> : T extends StubMark<infer U> ? ([U] extends [ByReference] ? U : T) : T

/**
 * A method from the other side; one with overloads has them there too, up to four. Fewer are matched by the first of them
 * again, which changes nothing.
 */
type Method<F> = F extends {
  (...args: infer A1): infer R1
  (...args: infer A2): infer R2
  (...args: infer A3): infer R3
  (...args: infer A4): infer R4
}
  ? Kept<F, A1, R1, A4, R4> & Call<A1, R1> & Call<A2, R2> & Call<A3, R3> & Call<A4, R4>
  : unknown

type Call<A extends readonly unknown[], R> = (...args: SendableAll<A>) => Result<R>

/**
 * The signature as it was declared, if it has type parameters of its own, which no other type can be made with: where it
 * says what the caller gets all the same, since it returns an RpcPromise, or promises what arrives as it is. (That it is
 * more than A and R say shows by their function not being one.)
 */
type Kept<F, A1 extends readonly unknown[], R1, A extends readonly unknown[], R> = [R] extends [PromiseLike<unknown>]
  ? Fits<[A1, R1], [A, R]> extends true
    ? Fits<(...args: A) => R, F> extends true
      ? unknown
      : [R] extends [PromiseMark<unknown>]
        ? F
        : Fits<Awaited<R>, Unchanged<Awaited<R>>> extends true
          ? F
          : unknown
    : unknown
  : unknown

/**
 * Whether an S is a T. `S extends T` would say so too, but what stands to the right of `extends` may not vary, for the
 * checker: no session would be one of a base class any more, nor an RpcSession<unknown>.
 */
type Fits<S, T> = { s: S; t: (value: T) => void } extends { s: infer _X; t: (value: infer _X) => void } ? true : false

/** T, if it has no part that is something else when it has come over, or that nothing is known of. */
type Unchanged<T> = unknown extends T
  ? never
  : T extends PromiseMark<unknown>
    ? never
    : T extends StubMark<unknown>
      ? T
      : T extends ByReference
        ? never
        : T extends Atom
          ? T
          : T extends object
            ? { [K in keyof T]: Unchanged<T[K]> }
            : T

/** The members of T, as they can be used without waiting for it; but for those of the reserved names. */
type Members<T, Reserved = never> = T extends never
  ? Anything
  : T extends StubMark<infer U>
    ? Members<U, Reserved>
    : T extends AnyFunction
      ? Method<T>
      : T extends readonly (infer E)[]
        ? number extends T['length']
          ? { readonly [i: number]: Member<E> }
          : { readonly [K in keyof T & `${number}`]: Member<T[K]> }
        : T extends Atom
          ? unknown
          : T extends object
            ? { readonly [K in keyof T as Exclude<K, symbol | keyof Own | 'dup' | Reserved>]-?: Member<T[K]> }
            : unknown

/** A method may be missing: a call of it fails then. */
type Member<M> = [NonNullable<M>] extends [AnyFunction]
  ? IsAny<M> extends true
    ? M
    : Method<NonNullable<M>> & RpcPromise<M>
  : RpcPromise<Awaited<M>>

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
  dup(): this
}

interface PromiseOwn<T> extends Own, PromiseMark<T> {
  dup(): this
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
export type RpcPromise<T> = Promise<Returned<T>> & Members<T, keyof PromiseOwn<T> | keyof Promise<T>> & PromiseOwn<T>

type Element<T> = unknown extends T ? T : T extends readonly (infer E)[] ? E : NonNullable<T>
type Mapped<T, R> = T extends readonly unknown[] ? Unpromised<R>[] : Unpromised<R> | Extract<T, null | undefined>
type Unpromised<R> = R extends PromiseMark<infer U> ? U : R

declare const stubOf: unique symbol
declare const promiseOf: unique symbol
