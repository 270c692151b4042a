import { createPublicKey, verify, X509Certificate } from 'node:crypto';
import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import { assembleQuote, SimulatedSgx, mirrorSignature, type QuoteRequest, type Tee } from './index.js';

const NOW = new Date('2026-03-01T12:00:00Z');
const seconds = Math.floor(NOW.getTime() / 1000);

interface ForeignVerifier {
  verify(quote: Buffer, collateral: object, now: number): { status: string; advisory_ids: string[] };
}
const { QuoteVerifier } = createRequire(import.meta.url)('@phala/dcap-qvl') as {
  QuoteVerifier: { newWithRootCa(der: Buffer): ForeignVerifier };
};

const make = (): SimulatedSgx => SimulatedSgx.create({ seed: 'spec', now: NOW });

function foreignVerdict(sgx: SimulatedSgx, quote: Buffer, collateral: object): { status: string } {
  return QuoteVerifier.newWithRootCa(new X509Certificate(sgx.rootPem).raw).verify(quote, collateral, seconds);
}

const KINDS: { title: string; tee: Tee; request: QuoteRequest }[] = [
  { title: 'v3 SGX', tee: 'sgx', request: { version: 3 } },
  { title: 'v4 SGX', tee: 'sgx', request: { version: 4 } },
  { title: 'v5 SGX', tee: 'sgx', request: { version: 5 } },
  { title: 'v4 TDX', tee: 'tdx', request: { tee: 'tdx', version: 4 } },
  { title: 'v5 TD 1.0', tee: 'tdx', request: { tee: 'tdx', version: 5, bodyType: 'td10' } },
  { title: 'v5 TD 1.5', tee: 'tdx', request: { tee: 'tdx', version: 5, bodyType: 'td15' } },
];

describe('a simulated SGX/TDX PKI', () => {
  it('issues chains that OpenSSL accepts', () => {
    const sgx = make();
    const { root, platform, processor, tcbSigner } = sgx.pki;
    for (const [issuer, subject] of [
      [root, root],
      [root, platform],
      [root, processor],
      [root, tcbSigner],
      [platform, sgx.platform().pck],
      [processor, sgx.platform({ ca: 'processor' }).pck],
    ] as const) {
      const parsed = new X509Certificate(subject.pem);
      const ca = new X509Certificate(issuer.pem);
      expect(parsed.checkIssued(ca)).toBe(true);
      expect(parsed.verify(ca.publicKey)).toBe(true);
      expect(parsed.raw.equals(subject.der)).toBe(true);
    }
    expect(new X509Certificate(root.pem).subject).toBe(
      'CN=Intel SGX Root CA\nO=Intel Corporation\nL=Santa Clara\nST=CA\nC=US',
    );
    expect(new X509Certificate(platform.pem).ca).toBe(true);
    expect(new X509Certificate(tcbSigner.pem).ca).toBe(false);
  });

  it('is a function of its seed', () => {
    const first = make();
    const second = SimulatedSgx.create({ seed: 'spec', now: NOW });
    const request: QuoteRequest = { mrenclave: 'ab'.repeat(32), deterministic: true };
    expect(second.collateral({ tee: 'tdx' })).toEqual(first.collateral({ tee: 'tdx' }));
    expect(second.platform().quote(request)).toEqual(first.platform().quote(request));
    expect(SimulatedSgx.create({ seed: 'other', now: NOW }).rootPem).not.toBe(first.rootPem);
    expect(SimulatedSgx.create().rootPem).not.toBe(SimulatedSgx.create().rootPem);
  });

  it('comes back from its JSON state', () => {
    const sgx = SimulatedSgx.create({ now: NOW });
    const again = SimulatedSgx.fromJSON(JSON.parse(JSON.stringify(sgx)));
    expect(again.collateral()).toEqual(sgx.collateral());
    expect(again.platform().chainPem).toBe(sgx.platform().chainPem);
    for (const broken of [
      null,
      {},
      { ...sgx.toJSON(), version: 2 },
      { ...sgx.toJSON(), seed: 'ff' },
      { ...sgx.toJSON(), now: 'x' },
    ]) {
      expect(() => SimulatedSgx.fromJSON(broken)).toThrow(
        expect.objectContaining({ code: 'SIMULATOR_STATE_INVALID' }),
      );
    }
  });

  // The foreign verifier knows SGX in version 3 only; the others are checked with libs/dcap in test/negative-corpus.
  it.each(KINDS.filter(({ tee, request }) => tee === 'tdx' || request.version === 3))(
    'makes $title quotes that an independent verifier accepts',
    ({ tee, request }) => {
      const sgx = make();
      for (const attestationKey of ['reused', 'fresh'] as const) {
        const platform = sgx.platform({ ca: tee === 'sgx' ? 'processor' : 'platform', moduleMajor: 0 });
        const quote = platform.quote({ ...request, attestationKey, reportData: 'cd'.repeat(64) });
        expect(foreignVerdict(sgx, quote, sgx.collateral({ platform, tee })).status).toBe('UpToDate');
      }
    },
  );

  it('signs in the fast path what the slow path would', () => {
    const platform = make().platform();
    for (const { tee, request } of KINDS) {
      const fast = platform.quote(request);
      const slow = assembleQuote(platform.quoteParts(request));
      expect(fast.length).toBe(slow.length);
      const { point } = platform.attestationKey(tee);
      const key = createPublicKey({
        format: 'jwk',
        key: {
          kty: 'EC',
          crv: 'P-256',
          x: point.subarray(0, 32).toString('base64url'),
          y: point.subarray(32).toString('base64url'),
        },
      });
      const at = fast.indexOf(point) - 68;
      const signature = fast.subarray(at + 4, at + 68);
      for (const form of [signature, mirrorSignature(signature)]) {
        expect(verify('sha256', fast.subarray(0, at), { key, dsaEncoding: 'ieee-p1363' }, form)).toBe(true);
      }
      expect(fast.subarray(at + 68)).toEqual(slow.subarray(at + 68));
    }
  });

  it.each(['SWHardeningNeeded', 'OutOfDate', 'ConfigurationNeeded'] as const)(
    'puts a platform on the level %s',
    (tcbStatus) => {
      const sgx = make();
      const platform = sgx.platform({ tcbStatus });
      expect(foreignVerdict(sgx, platform.quote(), sgx.collateral({ platform })).status).toBe(tcbStatus);
    },
  );

  it('remembers a bounded number of machines, each under one name', () => {
    const sgx = make();
    const first = sgx.platform({ name: 'machine' });
    expect(sgx.platform({ name: 'machine', tcbStatus: 'OutOfDate' }).pck.key.point).toEqual(
      first.pck.key.point,
    );
    expect(sgx.knownPlatforms()).toHaveLength(1);
    for (let count = 0; count < 1005; count++) sgx.platform();
    const names = sgx.knownPlatforms().map(({ name }) => name);
    expect([names.length, names[0], names.at(-1)]).toEqual([1000, 'platform-6', 'platform-1005']);
  });

  it('refuses fields that do not fit', () => {
    const platform = make().platform();
    expect(() => platform.quote({ mrenclave: 'ab' })).toThrow(
      expect.objectContaining({ code: 'SIMULATOR_BYTES_INVALID' }),
    );
    expect(() => platform.quote({ mrenclave: 'zz'.repeat(32) })).toThrow(
      expect.objectContaining({ code: 'SIMULATOR_BYTES_INVALID' }),
    );
    expect(() => platform.quote({ tee: 'tdx', version: 3 })).toThrow(
      expect.objectContaining({ code: 'SIMULATOR_OPTION_INVALID' }),
    );
    expect(() => make().platform({ components: [1] })).toThrow(
      expect.objectContaining({ code: 'SIMULATOR_OPTION_INVALID' }),
    );
  });
});
