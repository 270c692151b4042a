// The SDK of Microsoft Azure Attestation in a process of its own, as its users run it: one request per line of standard input.
import { AttestationAdministrationClient, AttestationClient } from '@azure/attestation';
import { createInterface } from 'node:readline';

/** One call of the SDK; bytes are base64. */
export interface SdkRequest {
  readonly call:
    | 'attestSgxEnclave'
    | 'attestOpenEnclave'
    | 'getOpenIdMetadata'
    | 'getAttestationSigners'
    | 'getPolicy'
    | 'setPolicy'
    | 'resetPolicy'
    | 'getPolicyManagementCertificates';
  readonly evidence?: string;
  readonly runTimeData?: string;
  readonly runTimeJson?: string;
  readonly draftPolicyForAttestation?: string;
  readonly kind?: string;
}

/** What came of it: the SDK's own result, or its error. Byte arrays are base64 again. */
export interface SdkAnswer {
  readonly body?: Record<string, unknown>;
  readonly token?: string;
  readonly error?: { readonly message: string; readonly statusCode?: number; readonly code?: string };
}

const bytes = (text: string | undefined): Uint8Array | undefined =>
  text === undefined ? undefined : new Uint8Array(Buffer.from(text, 'base64'));

/** Values for JSON: byte arrays as base64, the getters of the SDK's results as members. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const getters = Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(value) as object))
    .filter(([name, { get }]) => get !== undefined && name !== '__proto__')
    .map(([name]) => name);
  const names = getters.length > 0 ? getters : Object.keys(value);
  return Object.fromEntries(names.map((name) => [name, plain((value as Record<string, unknown>)[name])]));
}

async function perform(issuer: string, request: SdkRequest): Promise<unknown> {
  const client = new AttestationClient(issuer);
  const getToken = async () => ({ token: 'any', expiresOnTimestamp: Date.now() + 3_600_000 });
  const admin = new AttestationAdministrationClient(issuer, { getToken });
  const { call, kind = 'SgxEnclave', draftPolicyForAttestation } = request;
  const [runTimeData, runTimeJson] = [bytes(request.runTimeData), bytes(request.runTimeJson)];
  const options = {
    ...(runTimeData === undefined ? {} : { runTimeData }),
    ...(runTimeJson === undefined ? {} : { runTimeJson }),
    ...(draftPolicyForAttestation === undefined ? {} : { draftPolicyForAttestation }),
  };
  switch (call) {
    case 'attestSgxEnclave':
    case 'attestOpenEnclave':
      return client[call](bytes(request.evidence)!, options);
    case 'getOpenIdMetadata':
    case 'getAttestationSigners':
      return { body: await client[call]() };
    case 'setPolicy':
      return admin.setPolicy(kind, draftPolicyForAttestation ?? '');
    case 'getPolicyManagementCertificates':
      return admin[call]();
    default:
      return admin[call](kind);
  }
}

const [issuer = ''] = process.argv.slice(2);
for await (const line of createInterface({ input: process.stdin })) {
  let answer: SdkAnswer;
  try {
    const { body, token } = (await perform(issuer, JSON.parse(line) as SdkRequest)) as {
      body?: Record<string, unknown>;
      token?: { serialize(): string };
    };
    answer = {
      ...(body === undefined ? {} : { body: plain(body) as Record<string, unknown> }),
      ...(token ? { token: token.serialize() } : {}),
    };
  } catch (error) {
    const { message, statusCode, code } = error as { message: string; statusCode?: number; code?: string };
    answer = {
      error: {
        message: message ?? String(error),
        ...(statusCode === undefined ? {} : { statusCode }),
        ...(code === undefined ? {} : { code }),
      },
    };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
