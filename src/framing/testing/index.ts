/**
 * pillion/framing/testing: what a codec can be held against, with no socket, no kernel and no test runner.
 *
 * The conformance checks, and what they are made of: a stream as Linux has it, a sender that lays frames out in sends, a
 * receiver that reads them in any way.
 */
export { type ConformanceCheck, type ConformanceOptions, conformanceChecks, type SampleFrame } from './conformance.js'
export { Dice } from './dice.js'
export {
  accountOf,
  FramingReceiver,
  type Outcome,
  type Reading,
  type ReceivedFrame,
  readAll,
  readInEveryWay,
  type WayToRead,
} from './receiving.js'
export { gather, piecesOf, type Send, type SentFrame, sendsOf, sendWhatFits } from './sending.js'
export {
  type ReceivedMessage,
  type ReceiveOptions,
  SimulatedStream,
  type SimulatedStreamOptions,
} from './simulated-stream.js'
