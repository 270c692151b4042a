import { hash } from 'node:crypto';

export const WORKLOADS = Array.from({ length: 50 }, (_, i) => `workload-${i}`);
export const MEASUREMENTS = Array.from({ length: 500 }, (_, i) => hash('sha256', `measurement ${i}`));
export const PLATFORMS = Array.from({ length: 400 }, (_, i) => hash('sha256', `platform ${i}`));
export const REASONS = ['RELEASE_DENIED', 'EVIDENCE_REJECTED', 'BINDING_MISMATCH', 'CHALLENGE_EXPIRED'];
/** A workload that hardly any event has, and a word that hardly any reason has. */
export const RARE = { workload: 'workload-rare', word: 'thermometer' };
/** Workloads whose machines need hardening; of the others' events one in twenty thousand. */
const HARDENING = 45;
const PROTOCOLS = ['native', 'gramine', 'marblerun', 'occlum', 'scone'];
const OBJECTS = ['db-password', 'api-key', 'tls-edge'] as const;
const VERSIONS = {
  'db-password': hash('md5', 'db'),
  'api-key': hash('md5', 'api'),
  'tls-edge': hash('md5', 'tls'),
};
/** Events of one session, spread over the whole log. */
export const SESSION_EVENTS = 4;

/** 32 bits that look random and follow from a number. */
function mixed(value: number): number {
  let bits = Math.imul(value ^ (value >>> 16), 0x7feb352d);
  bits = Math.imul(bits ^ (bits >>> 15), 0x846ca68b);
  return (bits ^ (bits >>> 16)) >>> 0;
}

const hexOf = (bits: number): string => (bits + 2 ** 32).toString(16).slice(1);

/** As many times 32 bits as hex; they follow from the log, what they are for, and a number. */
function hexDigits(log: GeneratedLog, use: number, index: number, words: number): string {
  let state = mixed(log.seed ^ mixed(Math.imul(index, 8) + use));
  let text = '';
  for (let i = 0; i < words; i++) {
    state = mixed(state + 0x9e3779b9 * (i + 1));
    text += hexOf(state);
  }
  return text;
}

/** A UUID, version 4 by its form. */
function uuid(log: GeneratedLog, use: number, index: number): string {
  const hex = hexDigits(log, use, index, 4);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

const USE = { event: 1, session: 2, key: 3, evidence: 4 };
export const sessionOf = (log: GeneratedLog, index: number): string => uuid(log, USE.session, index);

export interface GeneratedLog {
  /** The emitter's epoch. */
  run: string;
  /** Tells this log's identifiers from others'. */
  seed: number;
  /** Events in all. */
  count: number;
  /** Time of the first and the last event, Unix milliseconds. */
  from: number;
  to: number;
}

export const timeOf = ({ count, from, to }: GeneratedLog, seq: number): number =>
  Math.floor(from + ((to - from) * seq) / count);

/**
 * One event, of realistic size and spread: 1 % are denials, measurements belong to workloads, and some values hardly ever
 * come together though each is common. Members are in the order of RFC 8785, so that JSON.stringify is canonical.
 */
export function generatedEvent(log: GeneratedLog, seq: number): Record<string, unknown> {
  const bits = mixed(seq);
  const denied = bits % 100 === 0;
  const measurement = mixed(seq + 0x5bd1e995) % MEASUREMENTS.length;
  const workload = measurement % WORKLOADS.length;
  const id = uuid(log, USE.event, seq);
  const sessionNumber = seq % Math.ceil(log.count / SESSION_EVENTS);
  const session = sessionOf(log, sessionNumber);
  // 43 characters, as a thumbprint has.
  const boundKey = hexDigits(log, USE.key, sessionNumber, 6).slice(0, 43);
  const hardening = workload >= HARDENING || seq % 20_011 === 0;
  const rareWord = seq % 500_009 === 17;
  const reason = {
    code: REASONS[(bits >>> 8) % REASONS.length],
    message: rareWord ? `The ${RARE.word} does not agree.` : 'The manifest does not allow this.',
  };
  const refused = denied || rareWord;
  const evidence = {
    fmspc: '00906ed50000',
    format: 'dcap',
    platform: PLATFORMS[(bits >>> 4) % PLATFORMS.length],
    sha256: hexDigits(log, USE.evidence, seq, 8),
    tee: 'sgx',
  };
  const manifest = { digest: MEASUREMENTS[1], version: 3 };
  const protocol = PROTOCOLS[(bits >>> 12) % PROTOCOLS.length];
  return {
    data: refused
      ? {
          binding: 'sha256-spki',
          boundKey,
          conditions: [
            { actual: MEASUREMENTS[measurement], expected: MEASUREMENTS[0], name: 'mrenclave', ok: false },
            { actual: 'UpToDate', expected: 'UpToDate', name: 'tcb', ok: true },
          ],
          evidence,
          manifest,
          protocol,
        }
      : {
          binding: 'sha256-spki',
          boundKey,
          challenge: false,
          evidence,
          grants: OBJECTS.map((objectName) => ({
            alias: objectName.toUpperCase(),
            as: 'env',
            objectName,
            objectType: 'secret',
            vault: 'prod',
            version: VERSIONS[objectName],
          })),
          manifest,
          protocol,
          tokenId: id,
        },
    emitter: { epoch: log.run, instance: `key-release-${bits & 1}`, name: 'key-release', seq },
    id,
    mrenclave: MEASUREMENTS[measurement],
    mrsigner: MEASUREMENTS[2],
    outcome: refused ? 'denied' : 'granted',
    ...(refused ? { reason } : {}),
    session,
    simulated: true,
    tcbStatus: hardening ? 'SWHardeningNeeded' : 'UpToDate',
    tenant: 'default',
    time: new Date(timeOf(log, seq)).toISOString(),
    type: refused ? 'attestation.denied' : 'attestation.granted',
    v: 1,
    workload: seq % 1_000_003 === 5 ? RARE.workload : WORKLOADS[workload],
  };
}
