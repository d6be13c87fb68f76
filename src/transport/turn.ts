/**
 * Turns: which writes belong together. What is sent while a wake-up is being handed over goes out once at its end; what
 * is sent later in the same tick goes out at the tick's end; the first write of a turn need not wait.
 */
import { nextTick } from '../event-loop.js'

export interface Flushable {
  flush(): void
}

let turn = 0
let handingOver = false
let gathering = false
let scheduled = false
let due: Flushable[] = []
/** Of `due`, those whose flush has begun: a flush can come to be within another one, by what it tells. */
let begun = 0

/** Changes with every wake-up and every tick in which something was sent: the first write of a turn goes out at once. */
export function currentTurn(): number {
  return turn
}

/** A socket has sent at once: the rest of this tick is the same turn, and what comes after it is not. */
export function sentAtOnce(): void {
  endTickSoon()
}

/** True while a wake-up is being handed over, or a tick gathers: `flushSoon` is then not later than needed. */
export function isHandingOver(): boolean {
  return handingOver || gathering
}

/** All that is sent in this tick goes out at its end, the first write too: for those who know that others follow. */
export function gatherTick(): void {
  gathering = true
  endTickSoon()
}

/** Flushes at the end of the wake-up being handed over, or of this tick. Tell it once a flush. */
export function flushSoon(socket: Flushable): void {
  due.push(socket)
  if (!handingOver) endTickSoon()
}

/** Runs what hands a wake-up over; what it sends goes out afterwards, also when it throws. */
export function handOver(deliver: () => void): void
export function handOver<To>(deliver: (to: To) => void, to: To): void
export function handOver<To>(deliver: (to?: To) => void, to?: To): void {
  turn++
  handingOver = true
  try {
    deliver(to)
  } finally {
    handingOver = false
    flushDue()
  }
}

/** Sends what has gathered so far. Where the wake-up that is being handed over has more, the peers can begin with it. */
export function sendGathered(): void {
  flushDue()
}

function endTickSoon(): void {
  if (scheduled) return
  scheduled = true
  nextTick(endTick)
}

function endTick(): void {
  scheduled = false
  gathering = false
  turn++
  flushDue()
}

/** A flush may throw, since it tells listeners: it must not keep the other sockets from theirs. */
function flushDue(): void {
  try {
    while (begun < due.length) (due[begun++] as Flushable).flush()
  } finally {
    // As a rule there is one, and `pop` keeps the array's memory.
    if (begun === 1 && due.length === 1) due.pop()
    else if (begun > 0) due = due.slice(begun)
    begun = 0
    if (due.length > 0) endTickSoon()
  }
}
