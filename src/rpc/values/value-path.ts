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
