import { type KeyObject, verify, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { z } from 'zod';
import { AgentError } from './agent-error.js';

const Header = z.object({
  alg: z.literal('RS256'),
  x5c: z
    .array(z.string().max(64 * 1024))
    .min(1)
    .max(8),
});
const KeyHsm = z.object({ ciphertext: z.string() });
const Payload = z.object({
  request: z.object({ enc: z.string(), kid: z.string() }),
  response: z.object({
    key: z.object({
      key: z.object({ kty: z.string(), key_ops: z.array(z.string()).optional(), key_hsm: z.string() }),
    }),
  }),
});

/** A release, its signature verified. */
export interface ReleaseAnswer {
  readonly enc: string;
  readonly kty: string;
  readonly keyOps: readonly string[];
  readonly ciphertext: Buffer;
}

/**
 * Reads a release as Key Vault signs it: a compact JWS, RS256, by a certificate that names the endpoint and chains to a root that we
 * trust. Who answers is known from TLS already; the signature also binds what a proxy in between could change.
 * @throws AgentError RELEASE_UNTRUSTED
 */
export function readRelease(
  jws: string,
  host: string,
  kid: string,
  roots: readonly string[],
  now: Date,
): ReleaseAnswer {
  const [head = '', body = '', tail = '', ...more] = jws.split('.');
  if (more.length > 0 || tail === '') throw untrusted('the release is no JWS');
  const { x5c } = parsed(Header, json(head), 'header');
  const chain = x5c.map((der) => certificate(der));
  checkChain(chain, host.replace(/:\d+$/, ''), roots, now);
  const [leaf] = chain as [X509Certificate, ...X509Certificate[]];
  if (!holds(`${head}.${body}`, Buffer.from(tail, 'base64url'), leaf.publicKey))
    throw untrusted('the signature of the release does not verify');
  const { request, response } = parsed(Payload, json(body), 'payload');
  const { key } = response.key;
  if (!named(request.kid, kid)) throw untrusted('the release is of another key');
  const { ciphertext } = parsed(KeyHsm, json(key.key_hsm), 'key_hsm');
  return {
    enc: request.enc,
    kty: key.kty,
    keyOps: key.key_ops ?? [],
    ciphertext: Buffer.from(ciphertext, 'base64url'),
  };
}

function holds(input: string, signature: Buffer, key: KeyObject): boolean {
  return key.asymmetricKeyType === 'rsa' && verify('sha256', Buffer.from(input, 'latin1'), key, signature);
}

/** `https://host/keys/name/version` names `name` and `name/version`. */
function named(kid: string, wanted: string): boolean {
  const path = /\/keys\/([^/]+)(?:\/([^/]+))?$/.exec(kid);
  const [name, version] = wanted.toLowerCase().split('/');
  return path?.[1]?.toLowerCase() === name && (version === undefined || path?.[2]?.toLowerCase() === version);
}

function checkChain(
  chain: readonly X509Certificate[],
  host: string,
  roots: readonly string[],
  now: Date,
): void {
  const [leaf] = chain;
  const addressed = isIP(host) === 0 ? leaf?.checkHost(host, { subject: 'never' }) : leaf?.checkIP(host);
  if (addressed === undefined) throw untrusted(`the release is not signed for ${host}`);
  for (const [at, each] of chain.entries()) {
    if (now < new Date(each.validFrom) || now > new Date(each.validTo))
      throw untrusted('a certificate of the release is not valid now');
    const issuer = chain[at + 1];
    const anchored = roots.some((root) => issues(new X509Certificate(root), each));
    if (anchored) return;
    if (issuer === undefined || !issues(issuer, each))
      throw untrusted('the certificates of the release do not chain to a trusted root');
  }
  throw untrusted('the certificates of the release do not chain to a trusted root');
}

const issues = (issuer: X509Certificate, issued: X509Certificate): boolean =>
  issuer.ca && issued.checkIssued(issuer) && issued.verify(issuer.publicKey);

function certificate(der: string): X509Certificate {
  try {
    const base64 = Buffer.from(der, 'base64').toString('base64');
    return new X509Certificate(`-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----`);
  } catch {
    throw untrusted('a certificate of the release cannot be read');
  }
}

function json(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
  } catch {
    throw untrusted('the release is not JSON');
  }
}

function parsed<T extends z.ZodType>(schema: T, value: unknown, part: string): z.output<T> {
  const result = schema.safeParse(value);
  if (!result.success) throw untrusted(`the ${part} of the release is not what it should be`);
  return result.data;
}

const untrusted = (message: string): AgentError => new AgentError('RELEASE_UNTRUSTED', message);
