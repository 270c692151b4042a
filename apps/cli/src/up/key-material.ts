import { TrustFile, type TrustedJwk } from '#contracts';
import { LocalSigner } from '#pki';
import { formatVerifierKey, NOTE_COSIGNATURE } from '#transparency';
import { openOrCreateWitnessKey } from '#witness';
import { createUser, fromSeed } from '@nats-io/nkeys';
import { createPublicKey, type JsonWebKey, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Layout } from './layout.js';
import { NATS_USERS, type NatsUser } from './nats-config.js';

/** Name of the embedded witness's key. */
export const WITNESS_NAME = 'siegel.local/witness';

/** Everything secret is created once, mode 0600, and kept; the trust file is derived from it at every start. */
export async function prepareKeys(layout: Layout, origin: string, tenants: readonly string[]) {
  mkdirSync(layout.root, { recursive: true, mode: 0o700 });
  const verdict = await LocalSigner.openOrCreateFile(layout.key('quote-verifier', 'verdict'), 'ES256');
  const verifierEmitter = await LocalSigner.openOrCreateFile(
    layout.key('quote-verifier', 'emitter'),
    'EdDSA',
  );
  const releaseEmitter = await LocalSigner.openOrCreateFile(layout.key('key-release', 'emitter'), 'EdDSA');
  const manifest = await LocalSigner.openOrCreateFile(layout.key('key-release', 'manifest'), 'ES256');
  const auditEmitter = await LocalSigner.openOrCreateFile(layout.key('audit', 'emitter'), 'EdDSA');
  const logKey = await LocalSigner.openOrCreateFile(layout.key('audit', 'log'), 'EdDSA');
  const token = (): string => randomBytes(32).toString('base64url');
  once(layout.adminToken, token);
  const newAuditToken = once(layout.auditToken, token);
  once(layout.challengeKey, () => randomBytes(32).toString('base64'));
  const jwk = (signer: LocalSigner): TrustedJwk => signer.jwk() as TrustedJwk;
  const witnessKey = formatVerifierKey(
    WITNESS_NAME,
    createPublicKey(openOrCreateWitnessKey(layout.key('witness', 'witness'))),
    NOTE_COSIGNATURE,
  );
  const origins = tenants.map((tenant) => `${origin}/${tenant}`);
  const logPublic = createPublicKey({ key: jwk(logKey) as JsonWebKey, format: 'jwk' });
  writeFileSync(layout.witnessLogs, origins.map((log) => `${formatVerifierKey(log, logPublic)}\n`).join(''));
  const trust = TrustFile.parse({
    siegelTrust: 1,
    verifiers: [jwk(verdict)],
    emitters: [
      { name: 'quote-verifier', jwk: jwk(verifierEmitter) },
      { name: 'key-release', jwk: jwk(releaseEmitter) },
      { name: 'audit', jwk: jwk(auditEmitter) },
    ],
    manifestSigners: [jwk(manifest)],
    logs: origins.map((log) => ({ origin: log, jwk: jwk(logKey) })),
    witnesses: [witnessKey],
  });
  writeFileSync(layout.trust, `${JSON.stringify(trust, null, 2)}\n`);
  return { witnessKey, newAuditToken };
}

/** The public keys of the fixed users, whose seeds are made where they are missing. */
export function natsKeys(layout: Layout): Record<NatsUser, string> {
  const entries = NATS_USERS.map((user) => {
    once(layout.seed(user), () => new TextDecoder().decode(createUser().getSeed()));
    const seed = readFileSync(layout.seed(user), 'utf8').trim();
    return [user, fromSeed(new TextEncoder().encode(seed)).getPublicKey()] as const;
  });
  return Object.fromEntries(entries) as Record<NatsUser, string>;
}

/** Makes a file that is missing; what was made, if anything was. */
function once(file: string, make: () => string): string | undefined {
  if (existsSync(file)) return undefined;
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const made = make();
  writeFileSync(file, `${made}\n`, { mode: 0o600, flag: 'wx' });
  return made;
}
