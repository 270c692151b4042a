import { describe, expect, it } from '@jest/globals';
import { run } from '../../main.js';
import { recordingTerminal } from '../../terminal/recording-terminal.js';

const E = 'ab'.repeat(32);
const F = 'ef'.repeat(32);
const S = 'cd'.repeat(32);
const enclave = (mrenclave = E) => ({ mrenclave, mrsigner: S, isvprodid: 2, isvsvn: 5 });
const build = (status: string, more: object = {}) => ({
  build_id: '93156096-5ed4-41ad-ae23-19e8fab1e0af',
  app_id: '141c73d4-36f2-4185-bc75-40e2f7f4f235',
  app_name: 'orders',
  status: { status, status_updated_at: 1_700_000_000 },
  enclave_info: enclave(),
  mem_size: 1024,
  ...more,
});

async function imported(source: unknown, ...more: string[]) {
  const terminal = recordingTerminal({ stdin: typeof source === 'string' ? source : JSON.stringify(source) });
  const code = await run(['manifest', 'import', 'fortanix-builds', '-', '--json', ...more], terminal);
  const { manifest, report } = JSON.parse(terminal.written.out) as {
    manifest?: { workloads: Record<string, Record<string, unknown>> };
    report?: { path: string; result: string }[];
  };
  const open = (report ?? [])
    .filter(({ result }) => result !== 'mapped')
    .map(({ path, result }) => `${result} ${path}`);
  return { code, workloads: manifest?.workloads, report, open };
}

describe('siegel manifest import fortanix-builds', () => {
  const identity = { mrenclave: [E], mrsigner: [S], isvprodid: 2, isvsvn: 5 };

  it('takes what a build was registered with', async () => {
    const { code, workloads, open } = await imported({
      ...enclave(E.toUpperCase()),
      app_name: 'orders',
      threads: 16,
    });
    expect([code, open]).toEqual([0, []]);
    expect(workloads).toEqual({
      imported: { description: 'orders', identity, certificate: {}, fortanix: {} },
    });
  });

  it('makes one workload of the approved builds of one app, and one of each other app', async () => {
    const items = [
      build('WHITELISTED'),
      build('WHITELISTED', { enclave_info: enclave(F) }),
      build('WHITELISTED', { app_id: '5ce01a15-4c14-479c-834f-1ddd485dfeb2', app_name: 'stock' }),
    ];
    const { code, workloads } = await imported({ metadata: null, items });
    expect(code).toBe(0);
    expect(workloads).toMatchObject({
      imported: { identity: [identity, { ...identity, mrenclave: [F] }] },
      'imported-2': { description: 'stock', identity },
    });
  });

  it('leaves out what was not approved, and says so', async () => {
    const items = [build('PENDING'), build('REJECTED'), build('WHITELISTED'), build('NEW')];
    const { code, workloads, open } = await imported({ items });
    expect(code).toBe(1);
    expect(open).toEqual([
      'unsupported items[0].status',
      'unsupported items[1].status',
      'unsupported items[3].status',
    ]);
    expect(Object.keys(workloads!)).toEqual(['imported']);
  });

  it('takes over the names of the certificate, and says what it cannot take over', async () => {
    const advanced_settings = {
      certificate: {
        issuer: 'MANAGER_CA',
        subject: 'orders.shop.svc',
        altNames: ['DNS:Orders.shop.example', 'IP:10.0.0.1'],
        keyType: 'RSA',
      },
      encryptedDirs: ['/data'],
    };
    const { code, workloads, open } = await imported([{ ...enclave(), advanced_settings, colour: 'red' }]);
    expect(code).toBe(1);
    expect(workloads!['imported']!['certificate']).toEqual({
      dns: ['orders.shop.svc', 'orders.shop.example'],
    });
    expect(open).toEqual([
      'unsupported [0].advanced_settings.certificate.altNames',
      'unsupported [0].advanced_settings.encryptedDirs',
      'unsupported [0].colour',
    ]);
  });

  it('by signer is weaker', async () => {
    const { code, open } = await imported(enclave(), '--by', 'signer');
    expect([code, open]).toEqual([1, ['weakened mrenclave']]);
  });

  it.each([
    ['no JSON', 'mrenclave=1'],
    ['a member twice', `{"mrenclave":"${E}","mrenclave":"${F}"}`],
    ['no build', '[]'],
    ['no object', '[1]'],
    ['no measurement', JSON.stringify({ ...enclave(), mrenclave: 'ab' })],
    ['no number', JSON.stringify({ ...enclave(), isvsvn: '5' })],
    ['no number of the range', JSON.stringify({ ...enclave(), isvprodid: -1 })],
  ])('refuses a file with %s', async (_what, source) => {
    const { code, workloads } = await imported(source);
    expect(code).not.toBe(0);
    expect(workloads).toBeUndefined();
  });
});
