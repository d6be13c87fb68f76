/**
 * All scenarios, under the headings of rpc.capnp's comments that they are about.
 */
import type { Scenario } from '../../support/place.js'
import { cancel } from './cancel.js'
import { order } from './order.js'
import { promisedValues } from './promised-values.js'
import { release } from './release.js'
import { tailCall } from './tail-call.js'
import { threeVats } from './three-vats.js'

export const scenarios: Readonly<Record<string, readonly Scenario[]>> = {
  order,
  release,
  cancel,
  tailCall,
  promisedValues,
  threeVats,
}

export function scenarioOf(name: string): Scenario {
  const found = Object.values(scenarios)
    .flat()
    .find((scenario) => scenario.name === name)
  if (found === undefined) throw new Error(`there is no scenario '${name}'`)
  return found
}
