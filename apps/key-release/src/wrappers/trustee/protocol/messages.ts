import { SiegelError } from '#contracts';
import { z } from 'zod';
import { base64 } from './base64.js';
import { malformed } from './kbs-error.js';
import {
  isComposite,
  OTHER_TEES,
  PROTOCOL_VERSIONS,
  type ProtocolVersion,
  type Tee,
  TEES,
} from './versions.js';

/** A quote with its event log is far below this; the log of a TD's firmware is the largest part. */
export const MAX_BODY_BYTES = 256 * 1024;
const MAX_QUOTE_CHARACTERS = Math.ceil((32 * 1024) / 3) * 4;
const MAX_EVENT_LOG_CHARACTERS = 192 * 1024;
/** Hashed together with nonce and key, so that both must fit in the bound of runtime data. */
const MAX_ADDITIONAL_CHARACTERS = 48 * 1024;
const MAX_INIT_DATA_CHARACTERS = 64 * 1024;

/** What members there are besides is ignored, as the real service ignores it. */
const Auth = z.object({ version: z.string().max(32), tee: z.string().max(32), 'extra-params': z.unknown() });

export interface AuthRequest {
  readonly version: ProtocolVersion;
  readonly tee: Tee;
}

/** `POST /auth`. @throws SiegelError REQUEST_MALFORMED, EVIDENCE_UNSUPPORTED */
export function readAuth(body: Buffer): AuthRequest {
  const json = parse(body);
  const { version, tee, 'extra-params': extra } = checked(Auth, json);
  if (extra === undefined) throw malformed('"extra-params" is missing');
  const known = PROTOCOL_VERSIONS.find((each) => each === version);
  if (known === undefined) {
    throw malformed(
      `KBS protocol ${printable(version)} is not spoken here; ${PROTOCOL_VERSIONS.join(', ')} are`,
    );
  }
  const kind = TEES.find((each) => each === tee);
  if (kind !== undefined) return { version: known, tee: kind };
  if (!OTHER_TEES.has(tee)) throw malformed(`there is no TEE ${printable(tee)} in the protocol`);
  throw new SiegelError('EVIDENCE_UNSUPPORTED', {
    detail: `evidence of "${tee}" is not verified by this service; that of sgx and tdx is`,
    reason: { code: 'TEE_UNSUPPORTED', message: `"${tee}" asked for a session` },
  });
}

const Quote = z.object({
  quote: z.string().min(1).max(MAX_QUOTE_CHARACTERS),
  cc_eventlog: z.string().max(MAX_EVENT_LOG_CHARACTERS).nullish(),
});
const Sample = z.object({ svn: z.string().max(64), report_data: z.string().max(128) });

const InitData = z.object({
  format: z.literal('toml'),
  body: z.string().max(MAX_INIT_DATA_CHARACTERS),
});
const Composite = z.object({
  'init-data': InitData.nullish(),
  'runtime-data': z.object({ nonce: z.string().max(128), 'tee-pubkey': z.unknown() }),
  'tee-evidence': z.object({
    primary_evidence: z.unknown(),
    additional_evidence: z.string().max(MAX_ADDITIONAL_CHARACTERS),
  }),
});
const Single = z.object({ 'tee-pubkey': z.unknown(), 'tee-evidence': z.unknown() });

export type Evidence =
  | { readonly tee: 'sgx' | 'tdx'; readonly quote: Buffer }
  | { readonly tee: 'sample'; readonly reportData: Buffer };

export interface Attestation {
  readonly key: unknown;
  /** As the client repeats it; before 0.4.0 it does not. */
  readonly nonce: string | undefined;
  readonly evidence: Evidence;
  /** JSON text about further devices, as it is hashed: empty for none, undefined before 0.4.0. */
  readonly additional: string | undefined;
  readonly initData: z.infer<typeof InitData> | undefined;
}

/** `POST /attest` of a session for that version and kind of evidence. @throws SiegelError REQUEST_MALFORMED */
export function readAttestation(body: Buffer, version: ProtocolVersion, tee: Tee): Attestation {
  const json = parse(body);
  if (!isComposite(version)) {
    const { 'tee-pubkey': key, 'tee-evidence': evidence } = checked(Single, json);
    const found = readEvidence(evidence, tee, 'tee-evidence');
    return { key, nonce: undefined, evidence: found, additional: undefined, initData: undefined };
  }
  const {
    'init-data': initData,
    'runtime-data': runtime,
    'tee-evidence': evidence,
  } = checked(Composite, json);
  return {
    key: runtime['tee-pubkey'],
    nonce: runtime.nonce,
    evidence: readEvidence(evidence.primary_evidence, tee, 'tee-evidence.primary_evidence'),
    additional: evidence.additional_evidence,
    initData: initData ?? undefined,
  };
}

function readEvidence(json: unknown, tee: Tee, path: string): Evidence {
  if (tee === 'sample') {
    const { report_data: text } = checked(Sample, json, path);
    return { tee, reportData: base64(text, `${path}.report_data`) };
  }
  return { tee, quote: base64(checked(Quote, json, path).quote, `${path}.quote`) };
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw malformed('the body is not JSON');
  }
}

function checked<T extends z.ZodType>(schema: T, json: unknown, base = ''): z.infer<T> {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = [...(base === '' ? [] : [base]), ...(issue?.path ?? []).map(String)].join('.');
  throw malformed(`${path === '' ? 'the body' : `"${path}"`}: ${issue?.message ?? 'invalid'}`);
}

const printable = (text: string): string => JSON.stringify(text.slice(0, 32));
