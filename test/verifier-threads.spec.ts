import { trustAnchorFromPem } from '#dcap';
import { LocalSigner } from '#pki';
import { SimulatedSgx } from '#simulator';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Worker } from 'node:worker_threads';

jest.setTimeout(60_000);
// Threads run compiled code, so that the pool is the compiled one as well.
const POOL = pathToFileURL(
  join(process.cwd(), 'dist/apps/quote-verifier/src/engine/worker-pool-engine.js'),
).href;

interface Answer {
  readonly kind: string;
  readonly code: string;
  readonly verified?: boolean;
}
interface Pool {
  attempt(body: Uint8Array): Promise<Answer>;
  adopt(key: object, collateral: object): void;
  open(key: object, bundle: object, at: Date): Promise<{ readonly fmspc: string; readonly freshUntil: Date }>;
  close(): Promise<void>;
  readonly threads: ReadonlySet<{ readonly worker: Worker }>;
}

describe('verification threads', () => {
  const sgx = SimulatedSgx.create({ seed: 'threads' });
  const platform = sgx.platform({ name: 'one' });
  const anchor = trustAnchorFromPem(sgx.rootPem, { id: 'sim', simulated: true });
  const request = (fill: number): Buffer =>
    Buffer.from(
      JSON.stringify({
        v: 1,
        requestId: 'request-0123456789',
        tenant: 'default',
        evidence: platform.quote({ reportData: Buffer.alloc(64, fill) }).toString('base64url'),
      }),
    );
  let folder: string;
  let pool: Pool;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'siegel-threads-'));
    const keyFile = join(folder, 'verdict.pem');
    await LocalSigner.createFile(keyFile, 'ES256');
    const { WorkerPoolEngine } = (await import(POOL)) as {
      WorkerPoolEngine: { start(count: number, settings: object): Promise<Pool> };
    };
    pool = await WorkerPoolEngine.start(2, {
      keyFile,
      anchors: [{ ...anchor, publicKey: new Uint8Array(anchor.publicKey) }],
      graceSeconds: 0,
      minTcbEvaluationDataNumber: undefined,
    });
  });
  afterEach(async () => {
    await pool.close();
    rmSync(folder, { recursive: true });
  });

  const adopt = (): void => {
    const bundle = sgx.collateral({ platform });
    pool.adopt({ tee: 'sgx', fmspc: platform.fmspc, ca: platform.ca, anchor: 'sim' }, { bundle });
  };

  it('ask for collateral, then verify with it', async () => {
    expect(await pool.attempt(request(1))).toMatchObject({ kind: 'needs-collateral' });
    adopt();
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => pool.attempt(request(i))));
    expect(answers.filter(({ verified }) => verified === true)).toHaveLength(50);
  });

  it('leave requests of other threads alone when one dies, and are replaced with what they knew', async () => {
    adopt();
    await pool.attempt(request(1));
    const asked = Array.from({ length: 40 }, (_, i) => pool.attempt(request(i)));
    const [victim] = pool.threads;
    await victim?.worker.terminate();
    const answers = await Promise.all(asked);
    for (const { kind, code } of answers)
      expect([`reply VERIFIED`, 'error INTERNAL']).toContain(`${kind} ${code}`);
    expect(answers.filter(({ kind }) => kind === 'reply').length).toBeGreaterThanOrEqual(20);
    const deadline = Date.now() + 20_000;
    while (pool.threads.size < 2 && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 50));
    expect(pool.threads.size).toBe(2);
    const after = await Promise.all(Array.from({ length: 10 }, (_, i) => pool.attempt(request(i))));
    expect(after.filter(({ verified }) => verified === true)).toHaveLength(10);
  });

  it('verify collateral away from the event loop, and name the check that it fails', async () => {
    const key = { tee: 'sgx', fmspc: platform.fmspc, ca: platform.ca, anchor: 'sim' };
    const bundle = sgx.collateral({ platform });
    const facts = await pool.open(key, bundle, new Date());
    expect(facts).toMatchObject({ fmspc: platform.fmspc, trustAnchor: { id: 'sim', simulated: true } });
    expect(facts.freshUntil.getTime()).toBeGreaterThan(Date.now());
    await expect(pool.open(key, bundle, new Date('2090-01-01T00:00:00Z'))).rejects.toMatchObject({
      name: 'DcapError',
      step: 'collateral-time',
    });
    await expect(pool.open({ ...key, anchor: 'other' }, bundle, new Date())).rejects.toMatchObject({
      code: 'OPTIONS_INVALID',
    });
  });

  it('refuse to start without their key', async () => {
    const { WorkerPoolEngine } = (await import(POOL)) as {
      WorkerPoolEngine: { start(count: number, settings: object): Promise<Pool> };
    };
    const start = WorkerPoolEngine.start(1, {
      keyFile: join(folder, 'none.pem'),
      anchors: [],
      graceSeconds: 0,
    });
    await expect(start).rejects.toThrow(/none\.pem/);
  });
});
