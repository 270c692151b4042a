import { SiegelError, VerifyRequest } from '#contracts';

/** A request is the evidence in base64url and a few names. */
const MAX_REQUEST_BYTES = 64 * 1024;
const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** Parses the body of a request. Throws SiegelError REQUEST_MALFORMED, REQUEST_TOO_LARGE, EVIDENCE_EMPTY or EVIDENCE_TOO_LARGE. */
export function parseVerifyRequest(body: Uint8Array): { request: VerifyRequest; evidence: Buffer } {
  if (body.length > MAX_REQUEST_BYTES) throw new SiegelError('REQUEST_TOO_LARGE');
  let value: unknown;
  try {
    value = JSON.parse(UTF8.decode(body));
  } catch {
    throw new SiegelError('REQUEST_MALFORMED', { detail: 'the body is not JSON' });
  }
  const parsed = VerifyRequest.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const member = issue?.path.map(String).join('.') ?? '';
    if (member === 'evidence' && issue?.code === 'too_big') throw new SiegelError('EVIDENCE_TOO_LARGE');
    if (member === 'evidence' && issue?.code === 'too_small') throw new SiegelError('EVIDENCE_EMPTY');
    throw new SiegelError('REQUEST_MALFORMED', {
      detail: `${member}: ${issue?.message ?? 'invalid'}`.slice(0, 200),
    });
  }
  const request = parsed.data;
  // A length of 4n+1 characters is no base64; Node would drop the last one silently.
  if (request.evidence.length % 4 === 1)
    throw new SiegelError('REQUEST_MALFORMED', { detail: 'evidence: not base64url' });
  return { request, evidence: Buffer.from(request.evidence, 'base64url') };
}
