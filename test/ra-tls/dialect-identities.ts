import {
  certificateWith,
  claimsMap,
  ecKeys,
  type Extension,
  type Keys,
  OIDS,
  pubkeyHash,
  reportDataOf,
  rsaKeys,
  spkiOf,
  taggedEvidence,
} from './certificate-builder.js';

/** Makes a quote over 64 bytes of report data. */
export type Quoting = (reportData: Buffer) => Buffer;

/** What a TLS client of one runtime presents. */
export interface ClientIdentity {
  readonly keys: Keys;
  /** DER. */
  readonly certificate: Buffer;
}

export type Dialect = 'gramine' | 'dice' | 'intel-sdk' | 'rats-tls' | 'occlum';

interface Changes {
  /** Claims besides the hash of the key, for dialects that have some. */
  readonly claimed?: Readonly<Record<string, string>>;
  /** The key that the evidence is made over; another one than the certificate's is what an attacker has. */
  readonly boundTo?: Keys;
}

/** A new key of the dialect's kind, and a certificate over it as that runtime makes it. */
export function identityIn(dialect: Dialect, quoting: Quoting, changes: Changes = {}): ClientIdentity {
  const keys = KEYS[dialect]();
  const { boundTo = keys, claimed = {} } = changes;
  const spki = spkiOf(boundTo);
  const bare = (oid: string): Extension => ({ oid, value: quoting(reportDataOf(spki)) });
  if (dialect === 'dice' || dialect === 'intel-sdk') {
    const claims = claimsMap(
      ['pubkey-hash', pubkeyHash(spki)],
      ...Object.entries(claimed).map(([name, value]) => [name, Buffer.from(value)] as const),
    );
    const quote = quoting(reportDataOf(claims));
    const extensions = [
      { oid: OIDS.dice, value: taggedEvidence(quote, claims) },
      ...(dialect === 'dice' ? [] : [{ oid: OIDS.intelSdk, value: quote }]),
    ];
    return { keys, certificate: certificateWith({ keys, extensions }) };
  }
  const old = { version: 1, hash: 'sha1' } as const;
  return {
    keys,
    certificate: certificateWith({
      keys,
      extensions: [bare(OIDS[dialect === 'rats-tls' ? 'ratsTls' : dialect])],
      ...(dialect === 'occlum' ? old : {}),
    }),
  };
}

const KEYS: Readonly<Record<Dialect, () => Keys>> = {
  gramine: () => ecKeys('P-384'),
  dice: () => ecKeys('P-256'),
  'intel-sdk': () => ecKeys('P-384'),
  'rats-tls': () => rsaKeys(3072),
  occlum: () => rsaKeys(2048),
};
