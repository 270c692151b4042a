import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import {
  COLLATERAL_FIELDS,
  CollateralEpoch,
  DcapError,
  INTEL_SGX_ROOT,
  parseCollateralBundle,
  QuoteVerifier,
  trustAnchorFromPem,
} from '#dcap';
import type { CollateralBundle, TrustAnchor } from '#dcap';
import { SimulatedSgx } from '#simulator';

/*
 * No byte of a quote or of collateral can change without the verdict changing: the list of bytes that may is empty.
 * (Both s of an ECDSA signature verify, but they differ in more than one byte.)
 */

interface Evidence {
  readonly name: string;
  readonly quote: Buffer;
  readonly bundle: CollateralBundle;
  readonly at: Date;
  readonly trustAnchors: readonly TrustAnchor[];
}

const QUOTES = join(process.cwd(), '..', 'shared', 'vectors', 'quotes');

function real(folder: string, file: string): Evidence[] {
  if (!existsSync(join(QUOTES, folder))) return [];
  const { sets } = JSON.parse(readFileSync(join(QUOTES, folder, 'expected.json'), 'utf8')) as {
    sets: { file: string; verificationTime: number }[];
  };
  const time = sets.find((set) => set.file === file)?.verificationTime ?? NaN;
  return [
    {
      name: folder,
      quote: readFileSync(join(QUOTES, folder, 'quote.bin')),
      bundle: parseCollateralBundle(readFileSync(join(QUOTES, folder, file), 'utf8')),
      at: new Date(time * 1000),
      trustAnchors: [INTEL_SGX_ROOT],
    },
  ];
}

function simulated(): Evidence {
  const at = new Date('2026-06-01T00:00:00Z');
  const sgx = SimulatedSgx.create({ seed: 'flips', now: at });
  const platform = sgx.platform();
  return {
    name: 'simulated SGX in a version 4 quote',
    quote: platform.quote({ version: 4, mrenclave: 'aa'.repeat(32), mrsigner: 'bb'.repeat(32) }),
    bundle: sgx.collateral({ platform, revokedPcks: [Buffer.from('0102', 'hex')] }),
    at,
    trustAnchors: [trustAnchorFromPem(sgx.rootPem, { id: 'simulated', simulated: true, profile: 'intel' })],
  };
}

const ALL = [
  simulated(),
  ...real('matter-labs+teepot/ba71c6bc-sgx_quote_fmspc', 'collateral-2025-09-08-v3-ev17.json'),
  ...real(
    'openenclave+openenclave/d21a11db-tdx_quote-moduleupdate-seamldr5',
    'collateral-2025-03-06-v3-ev18.json',
  ),
];
if (ALL.length === 1) console.warn(`no vectors at ${QUOTES}: only simulated evidence is changed here`);

const open = ({ bundle, at, trustAnchors }: Evidence): CollateralEpoch =>
  CollateralEpoch.open(bundle, { at, trustAnchors });

function flipped(bytes: Buffer, at: number, mask: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at] = (changed[at] as number) ^ mask;
  return changed;
}

/** What becomes of the evidence with one member of its collateral changed: a code, or `verified`. */
function verdictWith(evidence: Evidence, field: keyof CollateralBundle, text: string): string {
  try {
    const epoch = open({ ...evidence, bundle: { ...evidence.bundle, [field]: text } });
    return new QuoteVerifier().verify(evidence.quote, epoch, evidence.at).error?.code ?? 'verified';
  } catch (error) {
    return error instanceof DcapError ? error.code : 'a raw error';
  }
}

describe.each(ALL.map((evidence) => [evidence.name, evidence] as const))('%s', (_name, evidence) => {
  it('verifies as it is', () => {
    expect(new QuoteVerifier().verify(evidence.quote, open(evidence), evidence.at).error).toBeUndefined();
  });

  it('with one bit changed in any byte of the quote is refused, from memory or not', () => {
    const epoch = open(evidence);
    const verifier = new QuoteVerifier();
    verifier.verify(evidence.quote, epoch, evidence.at);
    const accepted: number[] = [];
    const raw: number[] = [];
    for (let at = 0; at < evidence.quote.length; at++) {
      const report = verifier.verify(flipped(evidence.quote, at, 1 << (at % 8)), epoch, evidence.at);
      if (report.verified) accepted.push(at);
      if (report.error?.code === 'INTERNAL_ERROR') raw.push(at);
    }
    expect({ accepted, raw }).toEqual({ accepted: [], raw: [] });
    expect(verifier.verify(evidence.quote, epoch, evidence.at).verified).toBe(true);
  });

  it('with any byte of the quote set to anything else is refused', () => {
    const epoch = open(evidence);
    const verifier = new QuoteVerifier();
    fc.assert(
      fc.property(fc.nat(evidence.quote.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const report = verifier.verify(flipped(evidence.quote, at, mask), epoch, evidence.at);
        expect(report.verified).toBe(false);
        expect(report.error?.code).not.toBe('INTERNAL_ERROR');
      }),
      { numRuns: 1500 },
    );
  });

  it.each(COLLATERAL_FIELDS)('with one character of %s changed is refused', (field) => {
    const text = evidence.bundle[field];
    const bytes = Buffer.from(text, 'latin1');
    // Long members are sampled, with a stride that meets every kind of byte; the property below fills the gaps.
    const stride = Math.max(1, Math.floor(bytes.length / 400));
    const bad: [number, string][] = [];
    for (let at = 0; at < bytes.length; at += stride) {
      const changed = flipped(bytes, at, 1 << ((at / stride) % 7)).toString('latin1');
      const verdict = verdictWith(evidence, field, changed);
      if (verdict === 'verified' || verdict === 'a raw error' || verdict === 'INTERNAL_ERROR')
        bad.push([at, verdict]);
    }
    expect(bad).toEqual([]);
  });

  it('with any character of the collateral set to anything else is refused', () => {
    const change = fc.tuple(
      fc.constantFrom(...COLLATERAL_FIELDS),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    );
    fc.assert(
      fc.property(change, fc.integer({ min: 1, max: 127 }), ([field, where], mask) => {
        const bytes = Buffer.from(evidence.bundle[field], 'latin1');
        const changed = flipped(bytes, Math.floor(where * bytes.length), mask).toString('latin1');
        expect(verdictWith(evidence, field, changed)).toMatch(/^(?!INTERNAL_ERROR)[A-Z_]+$/);
      }),
      { numRuns: 600 },
    );
  });
});
