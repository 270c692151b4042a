import { describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CollateralEpoch, INTEL_SGX_ROOT, parseCollateralBundle, QuoteVerifier, verifyQuote } from '#dcap';
import type { CollateralBundle, VerificationReport } from '#dcap';

const QUOTES = join(process.cwd(), '..', 'shared', 'vectors', 'quotes');

interface ExpectedSet {
  readonly file: string;
  readonly verificationTime: number;
  readonly noCrl?: boolean;
  readonly expected: Record<string, unknown> & { status?: string; error?: string };
}

interface Case extends ExpectedSet {
  readonly name: string;
  readonly quote: Buffer;
  readonly bundle: CollateralBundle;
  readonly at: Date;
}

/** Every set of real evidence and collateral; nothing where the vectors are not at hand. */
function cases(): Case[] {
  if (!existsSync(QUOTES)) return [];
  const folders = readdirSync(QUOTES).flatMap((owner) =>
    readdirSync(join(QUOTES, owner)).map((name) => join(owner, name)),
  );
  return folders.flatMap((folder) => {
    const expected = JSON.parse(readFileSync(join(QUOTES, folder, 'expected.json'), 'utf8')) as {
      sets: ExpectedSet[];
    };
    return expected.sets.map((set) => ({
      ...set,
      name: `${folder} ${set.file}`,
      quote: readFileSync(join(QUOTES, folder, 'quote.bin')),
      bundle: parseCollateralBundle(readFileSync(join(QUOTES, folder, set.file), 'utf8')),
      at: new Date(set.verificationTime * 1000),
    }));
  });
}

/** The members of expected.json that the report must repeat, by their names there. */
function comparable(report: VerificationReport): Record<string, unknown> {
  return {
    status: report.tcbStatus,
    platform: report.platformStatus,
    qeStatus: report.qeStatus,
    moduleStatus: report.moduleStatus,
    tcbDate: report.tcbDate,
    advisoryIds: report.advisoryIds,
    fmspc: report.fmspc,
    pceId: report.pceId,
    tcbEval: report.collateral?.tcbEvaluationDataNumber,
    qeEval: report.collateral?.qeEvaluationDataNumber,
    ca: `Intel SGX PCK ${report.pckCa === 'platform' ? 'Platform' : 'Processor'} CA`,
    sgxType: ['Standard', 'Scalable', 'ScalableWithIntegrity'].indexOf(report.sgxType ?? ''),
    mrenclave: report.mrenclave,
    mrsigner: report.mrsigner,
    isvProdId: report.isvProdId,
    isvSvn: report.isvSvn,
    mrtd: report.mrtd,
    teeTcbSvn: report.teeTcbSvn,
    teeTcbSvn2: report.teeTcbSvn2,
    tdAttributes: report.tdAttributes,
    debug: report.debug,
    reportData: report.reportData,
    version: report.quoteVersion,
    trailing: report.trailingPadding,
  };
}

const all = cases();
if (all.length === 0) console.warn(`no vectors at ${QUOTES}: real evidence is not tested here`);

describe('real evidence with real collateral', () => {
  it('finds the vectors or says that there are none', () => {
    expect(all.length === 0 || all.length >= 60).toBe(true);
  });

  it.each(all.map((set) => [set.name, set] as const))('%s', (_name, set) => {
    const report = verifyQuote(set.quote, set.bundle, { at: set.at });
    if (set.noCrl === true) {
      expect(report.error?.code).toBe('CRL_MISSING');
      return;
    }
    if (set.expected.error !== undefined) {
      expect(report.verified).toBe(false);
      expect(report.error?.code).toBe(set.expected.error);
      return;
    }
    expect(report.error).toBeUndefined();
    expect(report.verified).toBe(true);
    const wanted = Object.entries(comparable(report)).filter(([key]) => key in set.expected);
    const { expected } = set;
    expect(Object.fromEntries(wanted)).toEqual(
      Object.fromEntries(wanted.map(([key]) => [key, expected[key]])),
    );
    expect(wanted.length).toBeGreaterThan(15);
  });

  it.each(all.filter(({ noCrl }) => noCrl !== true).map((set) => [set.name, set] as const))(
    'with an open epoch, cold and from memory: %s',
    (_name, set) => {
      const epoch = CollateralEpoch.open(set.bundle, { at: set.at, trustAnchors: [INTEL_SGX_ROOT] });
      const verifier = new QuoteVerifier();
      const once = verifyQuote(set.quote, set.bundle, { at: set.at });
      const { steps, ...verdict } = once;
      const { verified } = once;
      const names = steps.map(({ name }) => name).sort();
      for (let round = 0; round < 3; round++) {
        const { steps: again, ...report } = verifier.verify(set.quote, epoch, set.at);
        expect(report.verified).toBe(verified);
        expect(report).toEqual(verdict);
        expect(again.map(({ name }) => name).sort()).toEqual(names);
      }
    },
  );
});
