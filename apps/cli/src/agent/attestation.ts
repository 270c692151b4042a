import { hash } from 'node:crypto';
import { AgentError } from './agent-error.js';
import { azureError, type Endpoints } from './endpoints.js';
import type { EvidenceProvider } from './evidence-provider.js';

const API_VERSION = '2022-08-01';

/** SHA-256 in the first half, zeros in the other: what the MAA protocol makes of runtime data. */
export function reportDataOf(runtimeData: Uint8Array): Buffer {
  return Buffer.concat([hash('sha256', runtimeData, 'buffer'), Buffer.alloc(32)]);
}

/** A token over runtime data, from the service that the caller names. @throws AgentError */
export async function attestationToken(
  provider: EvidenceProvider,
  endpoints: Endpoints,
  host: string,
  runtimeData: Buffer,
): Promise<string> {
  const quote = await provider.quote(reportDataOf(runtimeData));
  const answer = await endpoints.post(host, `/attest/${provider.kind}?api-version=${API_VERSION}`, {
    quote: quote.toString('base64url'),
    runtimeData: {
      data: runtimeData.toString('base64url'),
      dataType: isJsonObject(runtimeData) ? 'JSON' : 'Binary',
    },
  });
  if (answer.status !== 200)
    throw new AgentError('ATTESTATION_REFUSED', `attestation failed: ${azureError(answer)}`);
  const token = memberOf(answer.text, 'token');
  if (token === undefined)
    throw new AgentError('ATTESTATION_REFUSED', 'the attestation service gave no token');
  return token;
}

/** A text member of a JSON answer. */
export function memberOf(text: string, name: string): string | undefined {
  try {
    const value = (JSON.parse(text) as Record<string, unknown> | null)?.[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  } catch {
    return undefined;
  }
}

function isJsonObject(data: Buffer): boolean {
  try {
    const value: unknown = JSON.parse(data.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
