/**
 * Where in a value something stands, as one would write it: `args[0].handler.socket`.
 */

/** Keys and indexes, from the outside in. `spread` stands before the index of an entry of a Map or Set. */
export type Trail = (string | number | typeof spread)[]

export const spread: unique symbol = Symbol('spread')

/** Of a Map's value: `[...args[0]][3][1]`. */
export function pathText(root: string, trail: Trail): string {
  let text = root
  for (const key of trail) {
    if (key === spread) text = `[...${text}]`
    else if (typeof key === 'number') text += `[${key}]`
    else text += /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
  }
  return text
}

/**
 * How far the trail goes until it is at an object that it has been at before; undefined, if it never is. Accessors are not
 * called: what is behind them is not followed.
 */
export function onceAround(whole: unknown, trail: Trail): Trail | undefined {
  const met = new Set<unknown>()
  let at = whole
  for (const [i, key] of trail.entries()) {
    if (typeof at !== 'object' || at === null) return undefined
    if (met.has(at)) return trail.slice(0, i)
    met.add(at)
    at = key === spread ? [...(at as Iterable<unknown>)] : Object.getOwnPropertyDescriptor(at, key)?.value
  }
  return met.has(at) ? [...trail] : undefined
}
