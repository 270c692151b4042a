import { P256Key, p256Spki, signatureToDer } from '#simulator';
import { createPublicKey } from 'node:crypto';
import {
  certificateWith,
  claimsMap,
  OIDS,
  pubkeyHash,
  spkiOf,
  taggedEvidence,
} from '../../test/ra-tls/certificate-builder.js';

/** A certificate of each RA-TLS dialect around one quote, which need not bind the key. The same for the same seed of a campaign. */
export function raTlsCertificates(seed: string, quote: Buffer): Buffer[] {
  const key = new P256Key(Buffer.from(`ra-tls ${seed}`));
  const keys = {
    publicKey: createPublicKey({ key: p256Spki(key.point), format: 'der', type: 'spki' }),
    sign: (tbs: Buffer): Buffer => signatureToDer(key.signDeterministic(tbs)),
  };
  const claims = claimsMap(['pubkey-hash', pubkeyHash(spkiOf(keys))], ['region', Buffer.from('eu')]);
  const dice = { oid: OIDS.dice, value: taggedEvidence(quote, claims) };
  const bare = (oid: string) => ({ oid, value: quote });
  return [
    [bare(OIDS.gramine)],
    [bare(OIDS.gramine), dice],
    [dice, bare(OIDS.intelSdk)],
    [bare(OIDS.ratsTls)],
    [bare(OIDS.occlum)],
  ].map((extensions) => certificateWith({ keys, extensions }));
}
