import { INTEL_SGX_ROOT, trustAnchorFromPem } from '#dcap';
import { SimulatedSgx } from '#simulator';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CollateralKey } from '../../collateral-key.js';
import { BundleSource } from './bundle-source.js';

const now = new Date('2026-11-23T12:00:00Z');
const day = 86_400_000;
const sgx = SimulatedSgx.create({ seed: 'bundles', now });
const anchor = trustAnchorFromPem(sgx.rootPem, { id: 'sim', simulated: true });
const key: CollateralKey = { tee: 'sgx', fmspc: '00606a000000', ca: 'platform', anchor: 'sim' };

describe('BundleSource', () => {
  let folder: string;
  let source: BundleSource;
  const write = (name: string, content: object | string): void =>
    writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  const numbers = async (asked = key): Promise<number[]> =>
    (await source.fetch(asked)).map(
      ({ tcb_info }) => (JSON.parse(tcb_info) as { tcbEvaluationDataNumber: number }).tcbEvaluationDataNumber,
    );

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'siegel-bundles-'));
    source = new BundleSource({
      folder,
      anchors: [INTEL_SGX_ROOT, anchor],
      graceSeconds: 0,
      clock: () => now,
    });
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('tells when files come, without being asked, until it is closed', async () => {
    let told = 0;
    source.onChange(() => told++);
    write('a.json', sgx.collateral());
    for (const end = Date.now() + 5_000; told === 0 && Date.now() < end;)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(told).toBe(1);
    await source.close();
    write('b.json', sgx.collateral());
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(told).toBe(1);
  });

  it('is silent about a folder that is not there', async () => {
    rmSync(folder, { recursive: true });
    expect(() => source.onChange(() => undefined)).not.toThrow();
    await source.close();
  });

  it('gives the edition that is asked for by its number, and no other', async () => {
    write('a.json', sgx.collateral({ tcbEvaluationDataNumber: 18 }));
    write('b.json', sgx.collateral({ tcbEvaluationDataNumber: 20 }));
    const [bundle, ...more] = await source.fetch(key, 18);
    expect(more).toEqual([]);
    expect(JSON.parse(bundle!.tcb_info)).toMatchObject({ tcbEvaluationDataNumber: 18 });
    await expect(source.fetch(key, 19)).rejects.toMatchObject({ kind: 'not-found' });
  });

  it('puts what is in force first, then the highest evaluation, then the latest', async () => {
    write('a.json', sgx.collateral({ tcbEvaluationDataNumber: 18 }));
    write('b.json', sgx.collateral({ tcbEvaluationDataNumber: 21, at: new Date(now.getTime() - 60 * day) }));
    write('c.json', sgx.collateral({ tcbEvaluationDataNumber: 20 }));
    expect(await numbers()).toEqual([20, 18, 21]);
  });

  it('keeps TEEs, platforms, CAs and roots apart', async () => {
    write('mine.json', sgx.collateral({ tcbEvaluationDataNumber: 1 }));
    write('tdx.json', sgx.collateral({ tee: 'tdx', tcbEvaluationDataNumber: 2 }));
    write('fmspc.json', sgx.collateral({ fmspc: '00906ED50000', tcbEvaluationDataNumber: 3 }));
    write('processor.json', sgx.collateral({ ca: 'processor', tcbEvaluationDataNumber: 4 }));
    write(
      'other.json',
      SimulatedSgx.create({ seed: 'other', now }).collateral({ tcbEvaluationDataNumber: 5 }),
    );
    expect(await numbers()).toEqual([1]);
    expect(await numbers({ ...key, tee: 'tdx' })).toEqual([2]);
    expect(await numbers({ ...key, fmspc: '00906ed50000' })).toEqual([3]);
    expect(await numbers({ ...key, ca: 'processor' })).toEqual([4]);
    await expect(numbers({ ...key, anchor: INTEL_SGX_ROOT.id })).rejects.toMatchObject({ kind: 'not-found' });
  });

  it('sees files that come, change and go, and passes over what is no bundle', async () => {
    await expect(source.fetch(key)).rejects.toMatchObject({ kind: 'not-found' });
    write('notes.txt', 'no bundle');
    write('broken.json', '{"tcb_info":');
    write('a.json', sgx.collateral({ tcbEvaluationDataNumber: 18 }));
    expect(await numbers()).toEqual([18]);
    write('a.json', JSON.stringify(sgx.collateral({ tcbEvaluationDataNumber: 19 }), null, 1));
    expect(await numbers()).toEqual([19]);
    rmSync(join(folder, 'a.json'));
    await expect(source.fetch(key)).rejects.toMatchObject({ kind: 'not-found' });
  });

  it('says that the folder cannot be read', async () => {
    rmSync(folder, { recursive: true });
    await expect(source.fetch(key)).rejects.toMatchObject({ kind: 'unreachable', source: 'bundle' });
  });
});
