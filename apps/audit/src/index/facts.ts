/** Fields of which an event has one value, or none; events are counted by them. */
export const DICTIONARIES = [
  'tenant',
  'type',
  'outcome',
  'reason',
  'workload',
  'mrenclave',
  'emitter',
  'tcb',
] as const;
export type Dictionary = (typeof DICTIONARIES)[number];

/** Where in an event the value of each is. */
export const DICTIONARY_PATHS = {
  tenant: 'tenant',
  type: 'type',
  outcome: 'outcome',
  reason: 'reason.code',
  workload: 'workload',
  mrenclave: 'mrenclave',
  emitter: 'emitter.name',
  tcb: 'tcbStatus',
} as const satisfies Record<Dictionary, string>;

/** Fields of events that the index has besides the dictionaries: few values each. */
export const NAMED_FACTS = {
  mrsigner: 'mrsigner',
  instance: 'emitter.instance',
  simulated: 'simulated',
  protocol: 'data.protocol',
  fmspc: 'data.evidence.fmspc',
} as const;
export type NamedFact = keyof typeof NAMED_FACTS;

/** Fields that are almost unique, by a digest of their value: what the story of an enclave hangs together by. */
export const DIGESTED_FACTS = {
  bound_key: 'data.boundKey',
  evidence: 'data.evidence.sha256',
  platform: 'data.evidence.platform',
} as const;
export type DigestedFact = keyof typeof DIGESTED_FACTS;

const columns = new Map<string, NamedFact>(
  Object.entries(NAMED_FACTS).map(([column, path]) => [path, column as NamedFact]),
);
const digests = new Map<string, DigestedFact>(
  Object.entries(DIGESTED_FACTS).map(([column, path]) => [path, column as DigestedFact]),
);

export const namedFactOf = (path: string): NamedFact | undefined => columns.get(path);
export const digestedFactOf = (path: string): DigestedFact | undefined => digests.get(path);
