/**
 * Makes CommonJS of a chunk that esbuild has split as an ES module: its imports and exports, nothing else, lines kept.
 *
 * esbuild's own translation exports getters, and calls them at each use of a name from another chunk. On a frame's path
 * that is a dozen of calls that V8 does not inline: a third of the time of sending a small frame. Here a name from another
 * chunk is a constant, as it was in the source. It needs what our source has: no import cycle between chunks, and no
 * exported variable that changes.
 */
const IMPORT = /^import (?:(?<all>[\w$]+) from |\{(?<names>[^}]*)\} from )?(?<from>"[^"]+");$/gm
const EXPORT = /^export \{(?<names>[^}]*)\};$/gm
const LEFT_OVER = /^(?:import|export)\b.*$/m

export function asCommonJs(source) {
  const code = source
    .replace(IMPORT, (...found) => {
      const { all, names, from } = found.at(-1)
      if (all !== undefined) return `const ${all} = require(${from});`
      if (names !== undefined)
        return `const {${renamed(names, (name, local) => `${name}: ${local}`)}} = require(${from});`
      return `require(${from});`
    })
    .replace(EXPORT, (...found) => {
      return `module.exports = {${renamed(found.at(-1).names, (local, name) => `${name}: ${local}`)}};`
    })
  const unknown = LEFT_OVER.exec(code)
  if (unknown !== null) throw new Error(`a form of import or export that is not known here: ${unknown[0]}`)
  return `"use strict";\n${code}`
}

/** Of `a, b as c`, each `x as y` in the other notation. */
function renamed(names, write) {
  return names.replace(/([\w$]+) as ([\w$]+)/g, (_, before, after) => write(before, after))
}
