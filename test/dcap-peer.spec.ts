import { describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { verify as verifyWithPeer } from '@phala/dcap-qvl';
import { parseCollateralBundle, verifyQuote } from '#dcap';
import type { CollateralBundle, VerificationReport } from '#dcap';

/* Every vector through @phala/dcap-qvl 0.3.9 as well; docs/verification.md explains the kinds of difference. */

const QUOTES = join(process.cwd(), '..', 'shared', 'vectors', 'quotes');
const present = existsSync(QUOTES);
if (!present) console.warn(`no vectors at ${QUOTES}: nothing is compared with the peer`);

interface PeerVerdict {
  readonly status?: string;
  readonly advisoryIds?: readonly string[];
  readonly refusal?: string;
}

interface Comparison {
  readonly name: string;
  readonly ours: VerificationReport;
  readonly peer: PeerVerdict;
  readonly bundle: CollateralBundle;
}

function askPeer(quote: Buffer, bundle: CollateralBundle, seconds: number): PeerVerdict {
  try {
    const { status, advisory_ids: advisoryIds } = verifyWithPeer(quote, bundle, seconds);
    return { status, advisoryIds };
  } catch (error) {
    return { refusal: error instanceof Error ? error.message : String(error) };
  }
}

function comparisons(): Comparison[] {
  if (!present) return [];
  const folders = readdirSync(QUOTES).flatMap((owner) =>
    readdirSync(join(QUOTES, owner)).map((name) => join(owner, name)),
  );
  return folders.flatMap((folder) => {
    const quote = readFileSync(join(QUOTES, folder, 'quote.bin'));
    const { sets } = JSON.parse(readFileSync(join(QUOTES, folder, 'expected.json'), 'utf8')) as {
      sets: { file: string; verificationTime: number }[];
    };
    return sets.map(({ file, verificationTime }) => {
      const bundle = parseCollateralBundle(readFileSync(join(QUOTES, folder, file), 'utf8'));
      const ours = verifyQuote(quote, bundle, { at: new Date(verificationTime * 1000) });
      return { name: `${folder} ${file}`, ours, peer: askPeer(quote, bundle, verificationTime), bundle };
    });
  });
}

function agrees({ ours, peer }: Comparison): boolean {
  if (!ours.verified) return peer.refusal !== undefined;
  const sorted = (ids: readonly string[] | undefined): string => [...new Set(ids)].sort().join();
  return peer.status === ours.tcbStatus && sorted(peer.advisoryIds) === sorted(ours.advisoryIds);
}

/** Each kind of difference: when it applies, and what the peer then says. */
const DIFFERENCES: Record<string, (comparison: Comparison) => boolean> = {
  'TCB info version 2': ({ bundle, peer }) =>
    bundle.tcb_info.includes('"version":2') && peer.refusal === 'Failed to decode TcbInfo',
  'policy: debug': ({ ours, peer }) => ours.debug === true && peer.refusal === 'Debug mode is enabled',
  'policy: service TD': ({ ours, peer }) =>
    /[1-9a-f]/.test(ours.mrServiceTd ?? '') && peer.refusal === 'Invalid mr service td',
  'TDX module SVNs': ({ ours, peer }) =>
    ours.teeTcbSvn !== undefined &&
    ours.teeTcbSvn.slice(2, 4) !== '00' &&
    peer.refusal === 'No matching TCB level found',
  'no revocation lists': ({ ours, peer }) => ours.error?.code === 'CRL_MISSING' && peer.status !== undefined,
};

function explanationOf(comparison: Comparison): string {
  if (agrees(comparison)) return 'same';
  const kinds = Object.entries(DIFFERENCES).filter(([, applies]) => applies(comparison));
  return kinds.length === 1 ? (kinds[0]?.[0] ?? '') : 'unexplained';
}

const all = comparisons();

describe('the peer', () => {
  (present ? it : it.skip)('differs in nothing that is not explained', () => {
    const counts: Record<string, number> = {};
    const unexplained: string[] = [];
    for (const comparison of all) {
      const kind = explanationOf(comparison);
      counts[kind] = (counts[kind] ?? 0) + 1;
      if (kind === 'unexplained') unexplained.push(comparison.name);
    }
    expect(unexplained).toEqual([]);
    expect(counts).toEqual({
      same: 35,
      'TCB info version 2': 11,
      'policy: debug': 9,
      'policy: service TD': 3,
      'TDX module SVNs': 3,
      'no revocation lists': 1,
    });
  });

  (present ? it : it.skip)('accepts revocation lists that are garbage, which this library refuses', () => {
    const folder = join(QUOTES, 'matter-labs+teepot', 'ba71c6bc-sgx_quote_fmspc');
    const quote = readFileSync(join(folder, 'quote.bin'));
    const genuine = parseCollateralBundle(
      readFileSync(join(folder, 'collateral-2025-09-08-v3-ev17.json'), 'utf8'),
    );
    const bundle = { ...genuine, pck_crl: '00', root_ca_crl: '00' };
    const seconds = 1757310618;
    expect(askPeer(quote, bundle, seconds).status).toBeDefined();
    const ours = verifyQuote(quote, bundle, { at: new Date(seconds * 1000) });
    expect(ours).toMatchObject({ verified: false, error: { code: 'CRL_INVALID' } });
  });
});
