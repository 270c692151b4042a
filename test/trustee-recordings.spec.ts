import { trusteeRuntimeData, readTrusteeKey } from '#evidence';
import { describe, expect, it } from '@jest/globals';
import { createPrivateKey, hash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TeeKey } from '../apps/key-release/src/wrappers/trustee/attest/tee-key.js';
import { sealResource } from '../apps/key-release/src/wrappers/trustee/resource/sealed-resource.js';
import { appraisalOf } from '../apps/key-release/src/wrappers/trustee/token/trust-vector.js';
import { canonical, TeeKeyPair } from './trustee/tee-key-pair.js';

const FOLDER = join(process.cwd(), '..', 'shared', 'vectors', 'trustee');
interface Handshake {
  readonly kty: string;
  readonly alg: string;
  readonly tee_private_key_pkcs8_pem: string;
  readonly tee_pubkey: Record<string, string>;
  readonly nonce: string;
  readonly canonical_primary_runtime_data: string;
  readonly sha384_hex: string;
  readonly jwe: Record<string, string>;
  readonly plaintext: string;
}
const present = existsSync(FOLDER);
if (!present) console.warn('no recordings of Trustee at hand');
const handshakes = present
  ? (JSON.parse(readFileSync(join(FOLDER, 'real-kbs-vectors.json'), 'utf8')) as Handshake[])
  : [];
const privateKey = ({ tee_private_key_pkcs8_pem: text }: Handshake) =>
  createPrivateKey({
    key: Buffer.from(text.replace('der-pkcs8:', ''), 'base64'),
    format: 'der',
    type: 'pkcs8',
  });
const headerOf = (jwe: Record<string, string>) =>
  Buffer.from(jwe['protected']!, 'base64url').toString('utf8');
/** Key material is another each time; everything else is compared as it stands. */
const formOf = (jwe: Record<string, string>) => ({
  members: Object.keys(jwe),
  header: headerOf(jwe).replace(
    /"([xy])":"([\w-]+)"/g,
    (_all, name: string, value: string) => `"${name}":${value.length}`,
  ),
  lengths: ['encrypted_key', 'iv', 'ciphertext', 'tag'].map((name) => jwe[name]?.length),
});

(present ? describe : describe.skip)('handshakes of a real Trustee KBS', () => {
  it.each(handshakes.map((handshake) => [handshake.kty, handshake.alg, handshake] as const))(
    '%s, %s',
    async (_kty, alg, handshake) => {
      const pair = TeeKeyPair.of(privateKey(handshake), alg);
      expect(pair.jwk).toEqual(handshake.tee_pubkey);
      const runtime = { 'additional-evidence': '', nonce: handshake.nonce, 'tee-pubkey': pair.jwk };
      expect(canonical(runtime)).toBe(handshake.canonical_primary_runtime_data);
      const key = readTrusteeKey(handshake.tee_pubkey)!;
      const own = trusteeRuntimeData({ nonce: handshake.nonce, key, additionalEvidence: '' });
      expect(hash('sha384', own, 'hex')).toBe(handshake.sha384_hex);
      // What the real service sealed, our client opens; what ours seals has the same form and is opened by the same client.
      const jwe = Object.fromEntries(Object.entries(handshake.jwe).filter(([name]) => name !== 'aad'));
      expect((await pair.open(JSON.stringify(jwe))).toString()).toBe(handshake.plaintext);
      const sealed = await sealResource(
        Buffer.from(handshake.plaintext),
        TeeKey.read(handshake.tee_pubkey, '0.4.0'),
        '0.4.0',
      );
      expect(formOf(JSON.parse(sealed) as Record<string, string>)).toEqual(formOf(jwe));
      expect((await pair.open(sealed)).toString()).toBe(handshake.plaintext);
    },
  );

  it('a real token has the trust vector whose names ours has', () => {
    const token = readFileSync(join(FOLDER, 'real-ear-token-sample.jwt'), 'utf8').trim();
    const { submods } = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString('utf8')) as {
      submods: { cpu0: { 'ear.trustworthiness-vector': object } };
    };
    const { vector } = appraisalOf(undefined);
    expect(Object.keys(vector)).toEqual(Object.keys(submods.cpu0['ear.trustworthiness-vector']));
  });
});

describe('what is hashed', () => {
  it('is canonical as upstream tests it', () => {
    expect(hash('sha384', canonical({ b: 1, a: 'test', c: { d: 'e' } }), 'hex')).toBe(
      'e71ce8e70d814ba6639c3612ebee0ff1f76f650f8dbb5e47157e0f3f525cd22c4597480a186427c813ca941da78870c3',
    );
  });
});
