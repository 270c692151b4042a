import { VerdictClaims, type VerifyReply } from '#contracts';
import { CollateralEpoch, INTEL_SGX_ROOT, parseCollateralBundle, trustAnchorFromPem } from '#dcap';
import { LocalSigner } from '#pki';
import { SimulatedSgx } from '#simulator';
import { describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { VerdictSigner } from '../verdict/verdict-signer.js';
import type { Attempt, Findings } from './attempt.js';
import { VerdictMaker } from './verdict-maker.js';

const key = LocalSigner.generate('ES256');
const now = new Date('2026-11-23T12:00:00Z');
const sgx = SimulatedSgx.create({ seed: 'verdict maker', now });
const simulated = trustAnchorFromPem(sgx.rootPem, { id: 'sim', simulated: true });
const anchors = [INTEL_SGX_ROOT, simulated];
const platform = sgx.platform({ name: 'one' });
const reportData = Buffer.alloc(64, 5);

function request(evidence: Buffer): Buffer {
  return Buffer.from(
    JSON.stringify({
      v: 1,
      requestId: 'request-0123456789',
      tenant: 'default',
      evidence: evidence.toString('base64url'),
    }),
  );
}
function claimsOf(attempt: Attempt): VerdictClaims {
  if (attempt.kind !== 'reply') throw new Error(`no reply: ${JSON.stringify(attempt)}`);
  const { verdict } = JSON.parse(attempt.body) as VerifyReply;
  return VerdictClaims.parse(
    JSON.parse(Buffer.from(verdict.split('.')[1] as string, 'base64url').toString()),
  );
}
const makerAt = (clock: () => Date): VerdictMaker =>
  new VerdictMaker({ signer: new VerdictSigner(key), anchors, clock });

describe('VerdictMaker', () => {
  const quote = platform.quote({ reportData });

  it('names the collateral that it lacks, judges by what it is given, and asks again when that has expired', () => {
    let time = now;
    const maker = makerAt(() => time);
    const needed = { tee: 'sgx', fmspc: '00606a000000', ca: 'platform', anchor: 'sim' } as const;
    expect(maker.attempt(request(quote))).toEqual({ kind: 'needs-collateral', key: needed });
    maker.adopt(
      needed,
      CollateralEpoch.open(sgx.collateral({ platform }), { at: now, trustAnchors: anchors }),
    );
    expect(claimsOf(maker.attempt(request(quote)))).toMatchObject({
      verified: true,
      rid: 'request-0123456789',
    });
    time = new Date(now.getTime() + 40 * 86_400_000);
    expect(maker.attempt(request(quote))).toMatchObject({ kind: 'needs-collateral' });
  });

  it('asks for nothing on behalf of evidence that no anchor vouches for', () => {
    const stranger = SimulatedSgx.create({ seed: 'stranger', now }).platform({ name: 'x' });
    const attempt = makerAt(() => now).attempt(request(stranger.quote({ reportData })));
    expect(claimsOf(attempt)).toMatchObject({
      verified: false,
      error: { code: 'ROOT_NOT_TRUSTED', step: 'pck-chain' },
    });
  });

  it('asks for the PCK chain with what the quote says of it', () => {
    const maker = makerAt(() => now);
    const attempt = maker.attempt(request(platform.quote({ reportData, certificationType: 3 })));
    expect(attempt).toEqual({
      kind: 'needs-pck',
      query: {
        qeId: platform.qeId.toString('hex'),
        encryptedPpid: platform.encryptedPpid(3072).toString('hex'),
        cpuSvn: platform.description.cpuSvn.toString('hex'),
        pceSvn: sgx.pckFor(platform).tcbm.slice(32),
        pceId: '0000',
      },
    });
  });

  it('signs the refusal that it is told of', () => {
    const findings: Findings = {
      refusal: { code: 'TCB_INFO_EXPIRED', message: 'm'.repeat(500), step: 'collateral-time' },
    };
    const claims = claimsOf(makerAt(() => now).attempt(request(quote), findings));
    expect(claims).toMatchObject({
      verified: false,
      error: { code: 'TCB_INFO_EXPIRED', step: 'collateral-time' },
    });
    expect(claims.error?.message).toHaveLength(300);
  });

  it('answers any bytes, and never throws', () => {
    const maker = makerAt(() => now);
    for (let length = 0; length < quote.length; length += 97)
      expect(claimsOr(maker.attempt(request(quote.subarray(0, length))))).not.toMatchObject({
        verified: true,
      });
    for (const body of ['', '{}', '[1]', 'null', '{"v":1', '\u0000']) {
      expect(maker.attempt(Buffer.from(body))).toMatchObject({ kind: 'error', code: 'REQUEST_MALFORMED' });
    }
    expect(maker.attempt(new Uint8Array(70_000))).toMatchObject({ kind: 'error', code: 'REQUEST_TOO_LARGE' });
  });
});

const claimsOr = (attempt: Attempt): unknown => (attempt.kind === 'reply' ? claimsOf(attempt) : attempt);

const VECTORS = join(process.cwd(), '..', 'shared', 'vectors', 'quotes');
const present = existsSync(VECTORS);
if (!present) process.stdout.write('shared/vectors is absent: verdicts over simulated evidence only\n');

interface Expected {
  pckCa: string;
  fmspc: string;
  sets: { file: string; verificationTime: number; expected: { status?: string; error?: string } }[];
}

(present ? describe : describe.skip)('verdicts over genuine evidence, at the time of its collateral', () => {
  const folders = present
    ? readdirSync(VECTORS).flatMap((owner) =>
        readdirSync(join(VECTORS, owner)).map((name) => join(VECTORS, owner, name)),
      )
    : [];
  it.each(folders.map((folder) => [folder.slice(VECTORS.length + 1), folder]))('%s', (_name, folder) => {
    const quote = readFileSync(join(folder, 'quote.bin'));
    const { sets } = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Expected;
    for (const { file, verificationTime, expected } of sets) {
      const at = new Date(verificationTime * 1_000);
      const maker = makerAt(() => at);
      const first = maker.attempt(request(quote));
      let claims: VerdictClaims;
      if (first.kind === 'needs-collateral') {
        let epoch: CollateralEpoch;
        try {
          const bundle = parseCollateralBundle(readFileSync(join(folder, file), 'utf8'));
          epoch = CollateralEpoch.open(bundle, { at, trustAnchors: [INTEL_SGX_ROOT] });
        } catch {
          // A bundle of a time of which no CRL is known is refused; the expectation is that of a verifier without CRLs.
          if (!file.includes('-NOCRL'))
            expect({ file, status: null }).toEqual({ file, status: expected.status ?? null });
          continue;
        }
        maker.adopt(first.key, epoch);
        claims = claimsOf(maker.attempt(request(quote)));
      } else claims = claimsOf(first);
      expect({ file, status: claims.verified ? claims.claims?.tcbStatus : null }).toEqual({
        file,
        status: expected.status ?? null,
      });
      if (claims.verified)
        expect(claims).toMatchObject({ trustRoot: INTEL_SGX_ROOT.id, claims: { simulated: false } });
    }
  });
});
