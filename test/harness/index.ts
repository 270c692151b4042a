/** Whole deployments under test: real processes from dist/, real evidence, the log as an operator reads it. */
export { compiled, ROOT } from './checkout.js';
export { identityOf, Machines, measured, SIGNER } from './enclaves.js';
export { EventLog, EventTail, type LoggedEvent } from './event-tail.js';
export { allGone, childrenOf, isAlive, signal } from './processes.js';
export {
  ANY_PORT,
  RunningSiegel,
  SiegelCommand,
  startSiegel,
  temporaryFolder,
  TENANT,
  VAULT,
  type Part,
  type StartOptions,
} from './siegel.js';
export { eventually, PATIENCE_MS } from './waiting.js';
export { entryBytes, numberingFaults, OfflineChecks } from './log-checks.js';
export { certificateFor, envSecret, fileSecret, manifestOf, type WorkloadMembers } from './manifests.js';
export { sendRaw, type RawAnswer } from './raw-https.js';
export { expectProblem, Refusals } from './refusals.js';
export { refusingDeployment } from './refusing-deployment.js';
export { Replica } from './replica.js';
export { SessionStream, type StreamEvent } from './session-stream.js';
