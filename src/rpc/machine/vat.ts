/**
 * Vat: the objects of this thread that others hold, and what values need in order to be encoded and decoded.
 *
 * One for each set of limits; the objects are shared, so that one object is one capability, whichever session it travels.
 */
import type { RpcTarget } from '../rpc-target.js'
import type { ValueLimits } from '../values/limits.js'
import type { Incoming, Outgoing } from '../values/passing.js'
import type { Capability } from './capability.js'
import { LocalCapability } from './local-capability.js'
import type { TraceContext } from './messages.js'
import type { ValueSettings } from './results.js'

/** What makes stubs and streams of capabilities, and the other way round. */
export interface PassingRules {
  incoming(vat: Vat): Incoming
  outgoing(vat: Vat): Omit<Outgoing, 'hold' | 'sendStacks'>
  runMap(vat: Vat): ValueSettings['runMap']
}

export interface VatOptions {
  readonly limits: ValueLimits
  readonly sendStacks: boolean
  readonly traceContext: (() => TraceContext | undefined) | undefined
  /** Calls that may wait for one promise. */
  readonly waitingCalls: number
  /** Of each stream that is received. */
  readonly windowBytes: number
}

const held = new WeakMap<object, LocalCapability>()

export class Vat {
  readonly values: ValueSettings
  readonly incoming: Incoming
  readonly options: VatOptions

  constructor(options: VatOptions, rules: PassingRules) {
    this.options = options
    this.incoming = rules.incoming(this)
    this.values = {
      limits: options.limits,
      outgoing: {
        ...rules.outgoing(this),
        sendStacks: options.sendStacks,
        hold: (target: RpcTarget | ((...args: never[]) => unknown)) => this.hold(target),
      },
      runMap: rules.runMap(this),
    }
  }

  /** The capability that an object is; a reference of the caller's own. */
  hold(target: object): LocalCapability {
    const known = held.get(target)
    if (known !== undefined) return known.addRef()
    const capability = new LocalCapability(target, this, forget)
    held.set(target, capability)
    return capability
  }
}

function forget(target: object): void {
  held.delete(target)
}

/** The object behind a capability, if it is one of this thread's. */
export function targetOf(capability: Capability): object | undefined {
  const { resolved } = capability
  return resolved instanceof LocalCapability ? resolved.target : undefined
}
