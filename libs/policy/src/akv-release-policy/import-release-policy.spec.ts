import { describe, expect, it } from '@jest/globals';
import { importReleasePolicy, lintManifest, parseReleasePolicy } from '../index.js';

const E = 'ab'.repeat(32);
const F = 'cd'.repeat(32);
const S = 'ef'.repeat(32);
const ISSUER = 'https://shareduks.uks.attest.azure.net';

type Condition = Record<string, unknown>;
const imported = (...rules: Condition[]) => {
  const text = JSON.stringify({
    version: '1.0.0',
    anyOf: rules.map((rule) => ({ authority: ISSUER, ...rule })),
  });
  const parsed = parseReleasePolicy(text);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return importReleasePolicy(parsed.policy, 'app');
};
const claim = (name: string, more: Condition) => ({ claim: `x-ms-sgx-${name}`, ...more });
const NO_DEBUG = claim('is-debuggable', { equals: 'false' });

describe('importReleasePolicy', () => {
  it('a policy by measurement says the same as a manifest', () => {
    const { manifest, report } = imported({
      allOf: [claim('mrenclave', { equals: E }), NO_DEBUG, { claim: 'x-ms-attestation-type', equals: 'sgx' }],
    });
    expect(manifest).toEqual({ siegel: 'v1', workloads: { app: { identity: { mrenclave: [E] } } } });
    expect(report.map(({ path, result }) => `${path} ${result}`)).toEqual([
      'anyOf[0].authority mapped',
      'anyOf[0].allOf[0] mapped',
      'anyOf[0].allOf[1] mapped',
      'anyOf[0].allOf[2] mapped',
    ]);
    expect(lintManifest(JSON.stringify(manifest)).ok).toBe(true);
  });

  it('a policy by signer, with product and floor', () => {
    const { manifest, report } = imported({
      allOf: [
        claim('mrsigner', { equals: S }),
        claim('product-id', { equals: '7' }),
        claim('svn', { greater: 2 }),
        claim('svn', { greaterOrEquals: 2 }),
        NO_DEBUG,
      ],
    });
    expect(manifest.workloads).toEqual({ app: { identity: { mrsigner: [S], isvprodid: 7, isvsvn: 3 } } });
    expect(report.every(({ result }) => result === 'mapped')).toBe(true);
    expect(lintManifest(JSON.stringify(manifest)).ok).toBe(true);
  });

  it('alternatives become a list, or entries of their own', () => {
    const measured = (value: string) => claim('mrenclave', { equals: value });
    const list = imported({ allOf: [{ anyOf: [measured(E), measured(F)] }, NO_DEBUG] });
    expect(list.manifest.workloads).toEqual({ app: { identity: { mrenclave: [E, F] } } });
    const entries = imported(
      { allOf: [measured(E), NO_DEBUG] },
      { allOf: [claim('mrsigner', { equals: S }), claim('product-id', { equals: 1 }), NO_DEBUG] },
    );
    expect(entries.manifest.workloads['app']!.identity).toEqual([
      { mrenclave: [E] },
      { mrsigner: [S], isvprodid: 1 },
    ]);
  });

  it('says where the manifest is stricter, weaker, or cannot say it', () => {
    const { manifest, report } = imported({
      allOf: [
        claim('mrenclave', { equals: E }),
        claim('svn', { equals: 4 }),
        claim('report-data', { equals: '00' }),
        { claim: 'x-ms-runtime.keys', exists: true },
        claim('mrenclave', { notEquals: F }),
      ],
    });
    expect(manifest.workloads).toEqual({ app: { identity: { mrenclave: [E], isvsvn: 4 } } });
    expect(report.map(({ path, result }) => `${path} ${result}`)).toEqual([
      'anyOf[0].authority mapped',
      'anyOf[0].allOf[0] mapped',
      'anyOf[0].allOf[1] weakened',
      'anyOf[0].allOf[2] unsupported',
      'anyOf[0].allOf[3] unsupported',
      'anyOf[0].allOf[4] unsupported',
      'anyOf[0].allOf mapped',
    ]);
    expect(report.at(-1)!.note).toContain('debug');
  });

  it('never makes a workload that is any enclave', () => {
    const { manifest, report } = imported({ anyOf: [claim('mrenclave', { equals: E }), NO_DEBUG] });
    expect(manifest.workloads['app']!.identity).toEqual({ mrenclave: [E] });
    expect(report).toContainEqual(expect.objectContaining({ path: 'anyOf[0].anyOf', result: 'unsupported' }));
    const none = imported({ allOf: [NO_DEBUG] });
    expect(none.manifest.workloads).toEqual({});
    expect(none.report.filter(({ result }) => result === 'unsupported')).toHaveLength(2);
  });

  it('a way that cannot be satisfied grants nothing', () => {
    const contradiction = imported({
      allOf: [claim('mrenclave', { equals: E }), claim('mrenclave', { equals: F }), NO_DEBUG],
    });
    expect(contradiction.manifest.workloads).toEqual({});
    const notHex = imported({ allOf: [claim('mrenclave', { equals: 'AB' }), NO_DEBUG] });
    expect(notHex.manifest.workloads).toEqual({});
  });

  it('debug enclaves only where the policy demands them, and then in a workload of their own', () => {
    const { manifest, report } = imported(
      { allOf: [claim('mrenclave', { equals: E }), NO_DEBUG] },
      { allOf: [claim('mrenclave', { equals: F }), claim('is-debuggable', { equals: true })] },
    );
    expect(manifest.workloads).toEqual({
      app: { identity: { mrenclave: [E] } },
      'app-2': { identity: { mrenclave: [F] }, debug: true },
    });
    expect(report).toContainEqual(expect.objectContaining({ path: 'anyOf[1].allOf[1]', result: 'weakened' }));
  });

  it('trust domains, with their TCB status', () => {
    const mrtd = '12'.repeat(48);
    const { manifest, report } = imported({
      allOf: [
        { claim: 'tdx_mrtd', equals: mrtd },
        { claim: 'tdx_rtmr0', equals: mrtd },
        { claim: 'attester_tcb_status', equals: 'UpToDate' },
        { claim: 'tdx_td_attributes_debug', notEquals: 'true' },
      ],
    });
    expect(manifest.workloads).toEqual({
      app: { identity: { mrtd: [mrtd], rtmr0: [mrtd] }, tcb: { accept: ['UpToDate'] } },
    });
    expect(report.every(({ result }) => result === 'mapped')).toBe(true);
  });

  it('is bounded: nested alternatives do not multiply without end', () => {
    const pair = { anyOf: [claim('mrenclave', { equals: E }), claim('mrenclave', { equals: F })] };
    const { manifest, report } = imported({ allOf: Array.from({ length: 30 }, () => pair) });
    expect(manifest.workloads).toEqual({});
    expect(report.at(-1)).toMatchObject({ result: 'unsupported', path: 'anyOf[0].allOf' });
  });
});
