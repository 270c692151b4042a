import { EVIDENCE_ERRORS, EvidenceError, parseRaTlsCertificate, type EvidenceErrorCode } from '#evidence';
import { SimulatedSgx } from '#simulator';
import { parseQuote } from '#dcap';
import { describe, expect, it } from '@jest/globals';
import { hash, X509Certificate } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { recognise } from '../apps/cli/src/inspect/recognise.js';
import {
  certificateWith,
  cbor,
  cborBytes,
  cborText,
  claimsMap,
  der,
  ecKeys,
  OIDS,
  pubkeyHash,
  reportDataOf,
  rsaKeys,
  spkiOf,
  taggedEvidence,
  type Extension,
  type Keys,
} from './ra-tls/certificate-builder.js';

const sgx = SimulatedSgx.create();
const platform = sgx.platform({ name: 'ra-tls' });
const quote = (reportData: Uint8Array): Buffer =>
  platform.quote({ mrenclave: 'aa'.repeat(32), mrsigner: 'bb'.repeat(32), reportData });

const keys = ecKeys();
const spki = spkiOf(keys);
const legacy = (over: Uint8Array = spki): Extension => ({
  oid: OIDS.gramine,
  value: quote(reportDataOf(over)),
});
const claims = claimsMap(['pubkey-hash', pubkeyHash(spki)]);
const dice = (serialized: Buffer = claims, tag?: number): Extension => ({
  oid: OIDS.dice,
  value: taggedEvidence(quote(reportDataOf(serialized)), serialized, tag),
});
const made = (...extensions: Extension[]): Buffer => certificateWith({ keys, extensions });

function refusal(certificate: Uint8Array): EvidenceErrorCode | 'accepted' {
  try {
    parseRaTlsCertificate(certificate);
    return 'accepted';
  } catch (error) {
    if (error instanceof EvidenceError) return error.code;
    throw error;
  }
}

describe('the dialects', () => {
  const rsa = rsaKeys(3072);
  const small = ecKeys('P-256');
  const old = rsaKeys(2048);
  const bare = (owner: Keys, oid: string): Extension[] => [
    { oid, value: quote(reportDataOf(spkiOf(owner))) },
  ];
  const sdk = dice();
  it.each([
    ['gramine', 'sha256-spki', rsa, certificateWith({ keys: rsa, extensions: bare(rsa, OIDS.gramine) })],
    ['gramine', 'sha256-spki', keys, made(legacy())],
    ['dice', 'dice-claims', keys, made(legacy(), dice())],
    ['dice', 'dice-claims', keys, made(dice())],
    [
      'intel-sdk',
      'dice-claims',
      keys,
      made(sdk, { oid: OIDS.intelSdk, value: sdk.value.subarray(7, 7 + quote(Buffer.alloc(64)).length) }),
    ],
    [
      'rats-tls',
      'sha256-spki',
      small,
      certificateWith({ keys: small, extensions: bare(small, OIDS.ratsTls) }),
    ],
    [
      'occlum',
      'sha256-spki',
      old,
      certificateWith({ keys: old, extensions: bare(old, OIDS.occlum), version: 1, hash: 'sha1' }),
    ],
  ] as const)('%s: quote, key and binding by %s', (dialect, convention, owner, certificate) => {
    const found = parseRaTlsCertificate(certificate);
    expect(found).toMatchObject({ dialect, convention, binding: { ok: true } });
    expect(found.publicKeySpki.equals(spkiOf(owner))).toBe(true);
    expect(parseQuote(found.quote).body.reportData.subarray(32)).toEqual(Buffer.alloc(32));
    expect(found.customClaims.size).toBe(0);
  });

  it('exposes the claims besides pubkey-hash, whatever their order', () => {
    const serialized = claimsMap(
      ['region', Buffer.from('eu')],
      ['pubkey-hash', pubkeyHash(spki)],
      ['config', Buffer.of(1, 2)],
    );
    const found = parseRaTlsCertificate(made(dice(serialized)));
    expect([...found.customClaims]).toEqual([
      ['region', Buffer.from('eu')],
      ['config', Buffer.of(1, 2)],
    ]);
    expect(found.claims).toEqual(serialized);
    expect(found.binding).toEqual({ ok: true });
  });

  it('does not confuse the certificate with the PCK certificate inside its quote, as X509Certificate does', () => {
    const certificate = made(legacy());
    const [leaf] = /-----BEGIN CERTIFICATE-----[^-]+-----END/.exec(certificate.toString('latin1')) ?? [];
    expect(leaf).toBeDefined();
    // The trap, as Node has it: PEM is looked for first, and there is some inside the DER.
    expect(new X509Certificate(certificate).subject).toContain('PCK');
    expect(parseRaTlsCertificate(certificate).publicKeySpki.equals(spki)).toBe(true);
    const { inspection } = recognise(certificate);
    expect(inspection.kind).toBe('ra-tls-certificate');
    expect(inspection.sections[0]?.fields).toContainEqual(
      expect.objectContaining({ name: 'sha256 of the key', value: hash('sha256', spki, 'hex') }),
    );
    expect(inspection.sections[1]?.fields).toEqual([
      { name: 'evidence that counts', value: 'gramine' },
      { name: 'convention', value: 'sha256-spki' },
      { name: 'binds the key', value: true },
    ]);
  });
});

describe('what binds no key', () => {
  const stranger = spkiOf(ecKeys());
  const notZero = (over: Uint8Array): Buffer => {
    const data = reportDataOf(over);
    data[63] = 1;
    return data;
  };
  it.each([
    ['report data of another key', made(legacy(stranger)), 'BINDING_MISMATCH'],
    [
      'a tail of the report data that is not zero',
      made({ oid: OIDS.gramine, value: quote(notZero(spki)) }),
      'BINDING_MISMATCH',
    ],
    [
      'claims of another key',
      made(dice(claimsMap(['pubkey-hash', pubkeyHash(stranger)]))),
      'KEY_NOT_IN_CLAIMS',
    ],
    [
      'claims that the quote does not cover',
      made({ oid: OIDS.dice, value: taggedEvidence(quote(reportDataOf(stranger)), claims) }),
      'BINDING_MISMATCH',
    ],
    [
      'claims with a tail that is not zero',
      made({ oid: OIDS.dice, value: taggedEvidence(quote(notZero(claims)), claims) }),
      'BINDING_MISMATCH',
    ],
    [
      'report data of the key where it must be that of the claims',
      made({ oid: OIDS.dice, value: taggedEvidence(quote(reportDataOf(spki)), claims) }),
      'BINDING_MISMATCH',
    ],
  ] as const)('%s', (_what, certificate, code) => {
    expect(parseRaTlsCertificate(certificate).binding).toMatchObject({ ok: false, code });
  });
});

describe('what is refused', () => {
  const good = made(legacy());
  const flipped = (at: number): Buffer => {
    const bytes = Buffer.from(good);
    bytes[at] = (bytes[at] as number) ^ 1;
    return bytes;
  };
  const evidence = dice().value;
  const raw = (value: Uint8Array): Buffer => made({ oid: OIDS.dice, value }, legacy());
  const claiming = (serialized: Buffer): Buffer => made(dice(serialized), legacy());
  const hashed = pubkeyHash(spki);
  const rsa1024 = rsaKeys(1024);
  const p521 = ecKeys('P-521');
  const rsa = rsaKeys(2048);
  const pair = Buffer.concat([cborText('pubkey-hash'), cborBytes(hashed)]);
  const cases: readonly (readonly [string, EvidenceErrorCode, Uint8Array])[] = [
    ['too large', 'CERTIFICATE_TOO_LARGE', Buffer.alloc(64 * 1024 + 1, 0x30)],
    ['no DER', 'CERTIFICATE_MALFORMED', Buffer.from('-----BEGIN CERTIFICATE-----')],
    ['nothing', 'CERTIFICATE_MALFORMED', Buffer.alloc(0)],
    ['bytes behind it', 'CERTIFICATE_MALFORMED', Buffer.concat([good, Buffer.of(0)])],
    ['cut off', 'CERTIFICATE_MALFORMED', good.subarray(0, -1)],
    ['one extension twice', 'CERTIFICATE_EXTENSION_TWICE', made(legacy(), legacy())],
    ['DICE twice', 'CERTIFICATE_EXTENSION_TWICE', made(dice(), dice())],
    [
      'version 1 outside of Occlum',
      'CERTIFICATE_VERSION_UNEXPECTED',
      certificateWith({ keys, extensions: [legacy()], version: 1 }),
    ],
    [
      'Occlum of version 3',
      'CERTIFICATE_VERSION_UNEXPECTED',
      certificateWith({ keys: rsa, extensions: [{ oid: OIDS.occlum, value: legacy().value }], hash: 'sha1' }),
    ],
    [
      'SHA-1 outside of Occlum',
      'CERTIFICATE_ALGORITHM_UNSUPPORTED',
      certificateWith({ keys: rsa, extensions: [legacy()], hash: 'sha1' }),
    ],
    [
      'a short RSA key',
      'CERTIFICATE_KEY_UNSUPPORTED',
      certificateWith({ keys: rsa1024, extensions: [legacy()] }),
    ],
    ['another curve', 'CERTIFICATE_KEY_UNSUPPORTED', certificateWith({ keys: p521, extensions: [legacy()] })],
    [
      'signed by another key',
      'CERTIFICATE_NOT_SELF_SIGNED',
      certificateWith({ keys, extensions: [legacy()], signer: ecKeys().privateKey }),
    ],
    [
      'issued by another name',
      'CERTIFICATE_NOT_SELF_SIGNED',
      certificateWith({ keys, extensions: [legacy()], issuer: 'CA' }),
    ],
    ['a changed quote', 'CERTIFICATE_NOT_SELF_SIGNED', flipped(good.length - 600)],
    ['no evidence', 'EVIDENCE_MISSING', made()],
    ['other extensions only', 'EVIDENCE_MISSING', made({ oid: '551d13', value: der(0x30) })],
    [
      'two older dialects',
      'EVIDENCE_AMBIGUOUS',
      made(legacy(), { oid: OIDS.ratsTls, value: legacy().value }),
    ],
    [
      'SGX and TDX of rats-tls',
      'EVIDENCE_AMBIGUOUS',
      made({ oid: OIDS.ratsTls, value: legacy().value }, { oid: OIDS.ratsTlsTdx, value: legacy().value }),
    ],
    ['SEV-SNP', 'EVIDENCE_UNSUPPORTED', made({ oid: OIDS.ratsTlsSnp, value: Buffer.alloc(1184) })],
    [
      "Intel's extension without DICE",
      'EVIDENCE_UNSUPPORTED',
      made({ oid: OIDS.intelSdk, value: legacy().value }),
    ],
    [
      "Intel's extension with another quote",
      'EVIDENCE_CONTRADICTORY',
      made(dice(), { oid: OIDS.intelSdk, value: legacy().value }),
    ],
    [
      'a quote that is none by its size',
      'EVIDENCE_MALFORMED',
      made({ oid: OIDS.gramine, value: Buffer.alloc(431) }),
    ],
    [
      'a quote beyond all sizes',
      'EVIDENCE_MALFORMED',
      made({ oid: OIDS.gramine, value: Buffer.alloc(32 * 1024 + 1) }),
    ],
    // A malformed DICE extension is never made up for by a good one of the older dialect beside it.
    ['DICE: empty', 'EVIDENCE_MALFORMED', raw(Buffer.alloc(0))],
    ['DICE: cut off', 'EVIDENCE_MALFORMED', raw(evidence.subarray(0, -1))],
    ['DICE: bytes behind it', 'EVIDENCE_MALFORMED', raw(Buffer.concat([evidence, Buffer.of(0)]))],
    ['DICE: without a tag', 'EVIDENCE_MALFORMED', raw(evidence.subarray(3))],
    ['DICE: an SGX report', 'EVIDENCE_UNSUPPORTED', made(dice(claims, 60_002), legacy())],
    [
      'DICE: one item',
      'EVIDENCE_MALFORMED',
      raw(Buffer.concat([cbor(6, 60_000), cbor(4, 1), cborBytes(quote(reportDataOf(claims)))])),
    ],
    [
      'DICE: an indefinite array',
      'EVIDENCE_MALFORMED',
      raw(Buffer.concat([cbor(6, 60_000), Buffer.of(0x9f), evidence.subarray(4), Buffer.of(0xff)])),
    ],
    [
      'DICE: a head that is too long',
      'EVIDENCE_MALFORMED',
      raw(Buffer.concat([Buffer.of(0xda, 0, 0, 0xea, 0x60), evidence.subarray(3)])),
    ],
    ['claims that are no map', 'CLAIMS_MALFORMED', claiming(Buffer.concat([cbor(4, 2), pair]))],
    [
      'an indefinite map',
      'CLAIMS_MALFORMED',
      claiming(Buffer.concat([Buffer.of(0xbf), pair, Buffer.of(0xff)])),
    ],
    ['claims with bytes behind them', 'CLAIMS_MALFORMED', claiming(Buffer.concat([claims, Buffer.of(0)]))],
    [
      'a claim that is a text',
      'CLAIMS_MALFORMED',
      claiming(Buffer.concat([cbor(5, 2), pair, cborText('a'), cborText('b')])),
    ],
    [
      'a name that is not UTF-8',
      'CLAIMS_MALFORMED',
      claiming(Buffer.concat([cbor(5, 2), pair, Buffer.of(0x61, 0xff), cborBytes(Buffer.of(1))])),
    ],
    ['a claim twice', 'CLAIM_TWICE', claiming(claimsMap(['a', spki], ['pubkey-hash', hashed], ['a', spki]))],
    [
      'pubkey-hash twice',
      'CLAIM_TWICE',
      claiming(claimsMap(['pubkey-hash', hashed], ['pubkey-hash', hashed])),
    ],
    ['no claims', 'PUBKEY_HASH_MISSING', claiming(cbor(5, 0))],
    ['only other claims', 'PUBKEY_HASH_MISSING', claiming(claimsMap(['nonce', Buffer.alloc(32)]))],
    [
      'a bare digest',
      'PUBKEY_HASH_MALFORMED',
      claiming(claimsMap(['pubkey-hash', hash('sha256', spki, 'buffer')])),
    ],
    [
      'a digest of an unknown algorithm',
      'PUBKEY_HASH_MALFORMED',
      claiming(claimsMap(['pubkey-hash', Buffer.concat([cbor(4, 2), cbor(0, 2), hashed.subarray(2)])])),
    ],
    [
      'a digest of a wrong length',
      'PUBKEY_HASH_MALFORMED',
      claiming(claimsMap(['pubkey-hash', Buffer.concat([cbor(4, 2), cbor(0, 7), hashed.subarray(2)])])),
    ],
  ];
  it.each(cases)('%s: %s', (_what, code, certificate) => {
    expect(refusal(certificate)).toBe(code);
  });

  it('by every code of the catalogue', () => {
    expect(new Set(cases.map(([, code]) => code))).toEqual(new Set(Object.keys(EVIDENCE_ERRORS)));
  });

  it('and each is explained in docs/wrappers/gramine.md', () => {
    const page = readFileSync(join(process.cwd(), 'docs/wrappers/gramine.md'), 'utf8');
    expect(Object.keys(EVIDENCE_ERRORS).filter((code) => !page.includes(`\`${code}\``))).toEqual([]);
  });

  it('and nothing but an EvidenceError comes of any changed byte, or the certificate is accepted', () => {
    const certificate = made(legacy(), dice());
    for (let at = 0; at < certificate.length; at += at < 300 ? 1 : 37) {
      const bytes = Buffer.from(certificate);
      bytes[at] = (bytes[at] as number) ^ 0x41;
      expect(refusal(bytes)).not.toBe('accepted');
    }
  });
});

const VECTORS = join(process.cwd(), '../shared/vectors');
const have = existsSync(VECTORS);
if (!have)
  process.stdout.write('no test vectors beside the checkout: only simulated certificates are parsed\n');
const derOf = (file: string): Buffer => {
  const bytes = readFileSync(join(VECTORS, file));
  const pem = bytes.toString('latin1');
  if (!pem.startsWith('-----BEGIN')) return bytes;
  return Buffer.from(pem.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64');
};

(have ? describe : describe.skip)('certificates of the real runtimes', () => {
  interface Recorded {
    readonly spkiSha256: string;
    readonly legacyExtension: { readonly reportDataHex: string; readonly quoteBytes: number };
    readonly diceExtension?: { readonly claimsHex: string; readonly quoteBytes: number };
  }
  const recorded = have
    ? (JSON.parse(readFileSync(join(VECTORS, 'gramine/certificates.json'), 'utf8')) as Record<
        string,
        Recorded
      >)
    : {};

  it('has a certificate for each entry', () => {
    const files = readdirSync(join(VECTORS, 'gramine')).filter((file) => /\.(der|pem)$/.test(file));
    expect(files.sort()).toEqual(Object.keys(recorded).sort());
  });

  it.each(Object.keys(recorded))('gramine/%s', (file) => {
    const { spkiSha256, diceExtension, legacyExtension } = recorded[file]!;
    const found = parseRaTlsCertificate(derOf(`gramine/${file}`));
    expect(hash('sha256', found.publicKeySpki, 'hex')).toBe(spkiSha256);
    expect(found.binding).toEqual({ ok: true });
    expect(found.customClaims.size).toBe(0);
    expect(found.dialect).toBe(diceExtension ? 'dice' : 'gramine');
    expect(found.quote).toHaveLength((diceExtension ?? legacyExtension).quoteBytes);
    expect(found.claims?.toString('hex')).toBe(diceExtension?.claimsHex);
  });

  it.each([
    ['gramine-cert.pem', 'dice', []],
    ['rats-tls-cert.pem', 'dice', ['key_0', 'key_1']],
    ['intel-sgxsdk-cert.pem', 'intel-sdk', []],
  ])('interoperable-ra-tls/%s', (file, dialect, names) => {
    const found = parseRaTlsCertificate(derOf(`interoperable-ra-tls/${file}`));
    expect(found).toMatchObject({ dialect, convention: 'dice-claims', binding: { ok: true } });
    expect([...found.customClaims.keys()]).toEqual(names);
    const { body } = parseQuote(found.quote);
    expect(body.debug).toBe(true);
    expect(body.reportData.subarray(0, 32)).toEqual(hash('sha256', found.claims!, 'buffer'));
  });

  it('occlum: version 1, SHA-1', () => {
    const found = parseRaTlsCertificate(derOf('occlum/occlum-grpc-ratls-v1-sha1-rsa2048.pem'));
    expect(found).toMatchObject({ dialect: 'occlum', convention: 'sha256-spki', binding: { ok: true } });
    expect(found.quote).toHaveLength(4736);
  });
});
