import { CollateralEpoch, trustAnchorFromPem, type CollateralBundle } from '#dcap';
import { SimulatedSgx, type CollateralOptions } from '#simulator';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CollateralRollback } from './collateral-failure.js';
import { RollbackGuard } from './rollback-guard.js';

const sgx = SimulatedSgx.create({ seed: 'rollback' });
const anchor = trustAnchorFromPem(sgx.rootPem, { id: 'sim', simulated: true });

function collateral(options: CollateralOptions): { bundle: CollateralBundle; epoch: CollateralEpoch } {
  const bundle = sgx.collateral(options);
  return { bundle, epoch: CollateralEpoch.open(bundle, { at: new Date(), trustAnchors: [anchor] }) };
}

describe('RollbackGuard', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'siegel-floors-'));
    file = join(folder, 'floors.json');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const base = { tcbEvaluationDataNumber: 20, qeEvaluationDataNumber: 20, crlNumber: 300 };

  it.each([
    ['TCB info', { ...base, tcbEvaluationDataNumber: 19 }],
    ['QE identity', { ...base, qeEvaluationDataNumber: 19 }],
    // 255 has fewer digits than 256 in hex, 9 and 10 differ in decimal: numbers are compared, not texts.
    ['CRLs', { ...base, crlNumber: 255 }],
  ])('refuses an earlier number of %s, also after a restart', async (_name, earlier) => {
    const guard = new RollbackGuard(file);
    const { bundle, epoch } = collateral(base);
    guard.check('key', epoch.summary, bundle);
    await guard.raise('key', epoch.summary, bundle);
    const old = collateral(earlier);
    for (const each of [guard, new RollbackGuard(file)]) {
      expect(() => each.check('key', old.epoch.summary, old.bundle)).toThrow(CollateralRollback);
      expect(() => each.check('key', epoch.summary, bundle)).not.toThrow();
      expect(() => each.check('another key', old.epoch.summary, old.bundle)).not.toThrow();
      expect(each.lastId('key')).toBe(epoch.id);
    }
  });

  it('keeps the highest of each, whatever the order', async () => {
    const guard = new RollbackGuard(file);
    for (const options of [base, { ...base, crlNumber: 299, tcbEvaluationDataNumber: 21 }]) {
      const { bundle, epoch } = collateral(options);
      await guard.raise('key', epoch.summary, bundle);
    }
    const between = collateral({ ...base, crlNumber: 299, tcbEvaluationDataNumber: 21 });
    expect(() => guard.check('key', between.epoch.summary, between.bundle)).toThrow(/CRL/);
  });

  it('stores for its owner alone, in one step, and survives a damaged file', async () => {
    const { bundle, epoch } = collateral(base);
    await new RollbackGuard(file).raise('key', epoch.summary, bundle);
    expect(readdirSync(folder)).toEqual(['floors.json']);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    writeFileSync(file, '{"v":1,"floors":{"key":');
    expect(new RollbackGuard(file).lastId('key')).toBeUndefined();
  });
});
