/**
 * pillion/adapters/testing: checks of an adapter, or any other user of frame streams, against what a transport must
 * promise (docs/embedding.md): order, boundaries, closing, back-pressure, and who owns a descriptor. It knows no test
 * runner: a case is a name and a function that rejects.
 *
 *     for (const { name, run } of callCases(adapter)) test(name, run)
 */
export { callCases } from './call-cases.js'
export type { CallAdapter, CallEnd, Service } from './call-link.js'
export type { HostileAnswer } from './hostile-answer-cases.js'
export { messageCases } from './message-cases.js'
export type { MessageAdapter, MessageEnd, MessageHandlers } from './message-link.js'
export type { Case, TrialSettings } from './trial.js'
