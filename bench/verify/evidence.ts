import { createPublicKey, type KeyObject } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { INTEL_SGX_ROOT, parseCollateralBundle, parseQuote, trustAnchorFromPem } from '#dcap';
import type { CollateralBundle, TrustAnchor } from '#dcap';
import { SimulatedSgx } from '#simulator';

/** Evidence beneath one collateral, in the three degrees of familiarity that a verifier meets. */
export interface SimulatedEvidence {
  readonly bundle: CollateralBundle;
  readonly anchors: readonly TrustAnchor[];
  readonly at: Date;
  /** Quotes of one machine whose quoting enclave keeps its attestation key. */
  readonly sameQe: readonly Buffer[];
  /** Quotes of one machine, each with an attestation key of its own. */
  readonly samePck: readonly Buffer[];
  /** Quotes of as many machines. */
  readonly platforms: readonly Buffer[];
}

export function simulateEvidence(count: number): SimulatedEvidence {
  const at = new Date('2026-06-01T00:00:00Z');
  const sgx = SimulatedSgx.create({ seed: 'bench/verify', now: at });
  const machine = sgx.platform({ name: 'bench' });
  const request = (i: number) => ({
    mrenclave: 'c0'.repeat(32),
    mrsigner: 'd1'.repeat(32),
    isvProdId: 7,
    isvSvn: 3,
    reportData: i.toString(16).padStart(128, '0'),
  });
  const numbers = Array.from({ length: count }, (_, i) => i);
  return {
    bundle: sgx.collateral({ platform: machine }),
    anchors: [trustAnchorFromPem(sgx.rootPem, { id: 'simulated', simulated: true, profile: 'intel' })],
    at,
    sameQe: numbers.map((i) => machine.quote(request(i))),
    samePck: numbers.map((i) => machine.quote({ ...request(i), attestationKey: 'fresh' })),
    platforms: numbers.map((i) => sgx.platform({ name: `bench-${i}` }).quote(request(i))),
  };
}

/** One quote of real hardware with real collateral. */
export interface RealEvidence {
  readonly name: string;
  readonly quote: Buffer;
  readonly bundle: CollateralBundle;
  readonly anchors: readonly TrustAnchor[];
  readonly at: Date;
}

const QUOTES = join(process.cwd(), '..', 'shared', 'vectors', 'quotes');

interface VectorSet {
  readonly file: string;
  readonly verificationTime: number;
  readonly expected: { readonly status?: string };
  readonly phala_dcap_qvl_js_0_3_9?: { readonly status?: string };
}

/** The first SGX vector that both verifiers accept with the same status; undefined where the vectors are not at hand. */
export function realEvidence(): RealEvidence | undefined {
  if (!existsSync(QUOTES)) return undefined;
  const folders = readdirSync(QUOTES).flatMap((owner) =>
    readdirSync(join(QUOTES, owner)).map((name) => join(QUOTES, owner, name)),
  );
  for (const folder of folders) {
    const { sets, tee } = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as {
      sets: VectorSet[];
      tee: string;
    };
    const set = sets.find(
      ({ expected, phala_dcap_qvl_js_0_3_9: other }) =>
        expected.status !== undefined && other?.status === expected.status,
    );
    if (tee !== 'SGX' || set === undefined) continue;
    return {
      name: set.file,
      quote: readFileSync(join(folder, 'quote.bin')),
      bundle: parseCollateralBundle(readFileSync(join(folder, set.file), 'utf8')),
      anchors: [INTEL_SGX_ROOT],
      at: new Date(set.verificationTime * 1000),
    };
  }
  return undefined;
}

/** What is left of a verification when all but the signature of the quote is taken away. */
export interface BareSignature {
  readonly key: KeyObject;
  readonly data: Buffer;
  readonly signature: Buffer;
}

export function bareSignatures(quotes: readonly Buffer[]): BareSignature[] {
  return quotes.map((bytes) => {
    const { attestationKey, signedRegion, signature } = parseQuote(bytes);
    const jwk = {
      kty: 'EC',
      crv: 'P-256',
      x: attestationKey.toString('base64url', 0, 32),
      y: attestationKey.toString('base64url', 32),
    };
    return { key: createPublicKey({ key: jwk, format: 'jwk' }), data: signedRegion, signature };
  });
}
