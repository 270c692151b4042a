import { hash, verify, X509Certificate } from 'node:crypto';
import type { HttpsJson } from '../../apps/cli/src/demo/https-json.js';
import type { Quoting } from '../ra-tls/dialect-identities.js';

export interface MaaToken {
  readonly header: Record<string, unknown>;
  readonly claims: Record<string, unknown>;
}

/** The init of Occlum's demo: a quote over the hash of its user data, both in standard base64, for a token that it keeps. */
export async function maaInit(provider: HttpsJson, quoting: Quoting, userData: Buffer): Promise<string> {
  const quote = quoting(Buffer.concat([hash('sha256', userData, 'buffer'), Buffer.alloc(32)]));
  const answer = await provider.post('/attest/SgxEnclave?api-version=2020-10-01', {
    quote: quote.toString('base64'),
    runtimeData: { data: userData.toString('base64'), dataType: 'Binary' },
  });
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
  return (answer.body as { token: string }).token;
}

/** What whoever is shown /root/token does with it. @throws Error where the token is not the provider's */
export async function readToken(provider: HttpsJson, token: string): Promise<MaaToken> {
  const [head = '', body = '', signature = ''] = token.split('.');
  const json = (text: string) =>
    JSON.parse(Buffer.from(text, 'base64url').toString()) as Record<string, unknown>;
  const header = json(head);
  const { keys } = (await provider.call('GET', '/certs')).body as { keys: { kid: string; x5c: string[] }[] };
  const key = keys.find(({ kid }) => kid === header['kid']);
  if (!key || header['alg'] !== 'RS256') throw new Error('a token of somebody else');
  const { publicKey } = new X509Certificate(Buffer.from(key.x5c[0]!, 'base64'));
  const bytes = Buffer.from(signature, 'base64url');
  if (!verify('sha256', Buffer.from(`${head}.${body}`), publicKey, bytes))
    throw new Error('a token with a wrong signature');
  return { header, claims: json(body) };
}
