/**
 * Makes CommonJS of a chunk that esbuild has split as an ES module: its imports and exports, nothing else, lines kept.
 *
 * esbuild's own translation exports getters, and calls them at each use of a name from another chunk. On a frame's path
 * that is a dozen of calls that V8 does not inline: a third of the time of sending a small frame. Here a name from another
 * chunk is a constant, as it was in the source. It needs what our source has: no import cycle between chunks, and no
 * exported variable that changes.
 */
const IMPORT = /^import (?:([\w$]+) from |\{([^}]*)\} from )?("[^"]+");$/gm
const EXPORT = /^export \{([^}]*)\};$/gm
/** `x as y` */
const RENAMED = /([\w$]+) as ([\w$]+)/g
const LEFT_OVER = /^(?:import|export)\b.*$/m

export function asCommonJs(source: string): string {
  const code = source
    .replace(IMPORT, (_, all: string | undefined, names: string | undefined, from: string) => {
      if (all !== undefined) return `const ${all} = require(${from});`
      if (names !== undefined) return `const {${names.replace(RENAMED, '$1: $2')}} = require(${from});`
      return `require(${from});`
    })
    .replace(EXPORT, (_, names: string) => `module.exports = {${names.replace(RENAMED, '$2: $1')}};`)
  const unknown = LEFT_OVER.exec(code)
  if (unknown !== null) throw new Error(`a form of import or export that is not known here: ${unknown[0]}`)
  return `"use strict";\n${code}`
}
