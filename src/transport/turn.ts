/**
 * Turns: which writes belong together. What is sent while a wake-up is being handed over goes out once at its end; what
 * is sent later in the same tick goes out at the tick's end; the first write of a turn need not wait.
 */

export interface Flushable {
  flush(): void
}

let turn = 0
let handingOver = false
let scheduled = false
let due: Flushable[] = []

/** Changes with every wake-up and every gathered flush: a write in a turn of its own may go out at once. */
export function currentTurn(): number {
  return turn
}

/** True while a wake-up is being handed over: `flushSoon` is then not later than needed. */
export function isHandingOver(): boolean {
  return handingOver
}

/** Flushes at the end of the wake-up being handed over, or of this tick. Tell it once a flush. */
export function flushSoon(socket: Flushable): void {
  due.push(socket)
  if (handingOver || scheduled) return
  scheduled = true
  process.nextTick(endTick)
}

/** Runs what hands a wake-up over; what it sends goes out afterwards, also when it throws. */
export function handOver(deliver: () => void): void {
  turn++
  handingOver = true
  try {
    deliver()
  } finally {
    handingOver = false
    flushDue()
  }
}

function endTick(): void {
  scheduled = false
  turn++
  flushDue()
}

function flushDue(): void {
  while (due.length > 0) {
    const flushing = due
    due = []
    for (const socket of flushing) socket.flush()
  }
}
