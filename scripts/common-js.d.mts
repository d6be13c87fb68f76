/** The translation of a chunk: common-js.mjs. */
export function asCommonJs(source: string): string
