import { SUBJECTS } from '#contracts';
import { formatVerifierKey } from '#transparency';
import { parseLogKeys, openOrCreateWitnessKey, Witness, WitnessServer, WitnessStore } from '#witness';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { generateKeyPairSync, hash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../apps/cli/src/main.js';
import { recordingTerminal } from '../apps/cli/src/terminal/recording-terminal.js';
import { AuditDeployment, ORIGIN, TestEmitter, until } from './audit-deployment.js';

const environment: Record<string, string> = { SIEGEL_AUDIT_CHECKPOINT_INTERVAL_MS: '100' };
const deployment = new AuditDeployment(environment);
const file = (name: string) => join(deployment.folder, name);
const next = generateKeyPairSync('ed25519');
let store: WitnessStore;
let witness: Witness;
let server: WitnessServer;
let firstCheckpoint: string;
const pinned = () => formatVerifierKey(ORIGIN, deployment.logPublicKey);

const checkpoint = async () => (await deployment.get('/v1/log/checkpoint')).text();
const sizeOf = (note: string) => Number(note.split('\n')[1]);
const linesOf = (note: string, name: string) =>
  note.split('\n').filter((line) => line.startsWith(`\u2014 ${name} `)).length;

async function append(): Promise<void> {
  const requests = await deployment.requests();
  const { entry } = new TestEmitter(deployment.emitterKey).event();
  await requests.request(SUBJECTS.auditAppend, entry, 5_000);
}
const cosigned = (least: number) =>
  until(
    async () => sizeOf(await checkpoint()) >= least && linesOf(await checkpoint(), 'w') === 1,
    10_000,
    'no cosigned checkpoint',
  );

async function verify(...more: string[]) {
  const terminal = recordingTerminal();
  const where = ['--tiles', join(deployment.state, 'tree/default'), '--trust', file('trust.json')];
  const code = await run(['audit', 'verify', '--json', ...where, ...more], terminal);
  const { frauds } = JSON.parse(terminal.written.out || '{"frauds":[]}') as { frauds: { kind: string }[] };
  return { code, frauds };
}

/** Takes the other key into use; `previous` says whether the first one still signs as well. */
async function restart(previous: boolean): Promise<void> {
  await deployment.stopAudit('SIGTERM');
  environment['SIEGEL_AUDIT_LOG_KEY_FILE'] = file('next.pem');
  if (previous) environment['SIEGEL_AUDIT_LOG_PREVIOUS_KEY_FILE'] = file('log.pem');
  else delete environment['SIEGEL_AUDIT_LOG_PREVIOUS_KEY_FILE'];
  await deployment.startAudit();
}

beforeAll(async () => {
  mkdirSync(file('witness'));
  store = WitnessStore.open(file('witness/witness.db'));
  witness = new Witness('w', openOrCreateWitnessKey(file('witness/key.pem')), parseLogKeys(pinned()), store);
  server = await WitnessServer.listen(witness, { host: '127.0.0.1', port: 0, log: () => undefined });
  environment['SIEGEL_AUDIT_WITNESSES'] = `http://127.0.0.1:${server.port} ${witness.verifierKey}`;
  writeFileSync(file('next.pem'), next.privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
  // Both keys are trusted by the services that hold the log to its promises.
  const trust = JSON.parse(readFileSync(file('trust.json'), 'utf8')) as {
    logs: { origin: string; jwk: object }[];
  };
  const { crv, kty, x } = next.publicKey.export({ format: 'jwk' });
  const jwk = { crv, kty, x, kid: hash('sha256', JSON.stringify({ crv, kty, x }), 'base64url') };
  trust.logs.push(...trust.logs.map(({ origin }) => ({ origin, jwk })));
  writeFileSync(file('trust.json'), JSON.stringify(trust));
  await deployment.start();
  await append();
  await cosigned(1);
  firstCheckpoint = await checkpoint();
  writeFileSync(file('first.checkpoint'), firstCheckpoint);
}, 60_000);
afterAll(async () => {
  await deployment.close();
  await server.close();
  store.close();
});

describe('a change of the log key', () => {
  it('is announced by the key before, and both sign during the overlap', async () => {
    await restart(true);
    await append();
    await until(
      async () => {
        const { events } = await deployment.json<{ events: unknown[] }>(
          '/v1/events?type=log.key&tenant=default',
        );
        return events.length === 1;
      },
      10_000,
      'no announcement',
    );
    await cosigned(sizeOf(firstCheckpoint) + 2);
    expect(linesOf(await checkpoint(), ORIGIN)).toBe(2);
    const keys = await deployment.json<{ vkey: string; successions: string[] }>('/v1/log/keys');
    expect(keys.vkey).toBe(formatVerifierKey(ORIGIN, next.publicKey));
    expect(keys.successions).toHaveLength(1);
    expect(await verify('--log-key', pinned())).toEqual({ code: 0, frauds: [] });
  }, 30_000);

  it('is announced once, whatever starts how often', async () => {
    await restart(true);
    const before = sizeOf(await checkpoint());
    await append();
    await cosigned(before + 1);
    const { events } = await deployment.json<{ events: unknown[] }>('/v1/events?type=log.key&tenant=default');
    expect(events).toHaveLength(1);
  }, 30_000);

  it('is believed behind the overlap by whoever pinned the first key, witness and verify alike', async () => {
    await restart(false);
    const before = sizeOf(await checkpoint());
    await append();
    await cosigned(before + 1);
    expect(linesOf(await checkpoint(), ORIGIN)).toBe(1);
    const strict = ['--witness', witness.verifierKey, '--checkpoint', file('first.checkpoint')];
    expect(await verify('--log-key', pinned(), ...strict)).toEqual({ code: 0, frauds: [] });
    expect(await verify('--log-key', formatVerifierKey(ORIGIN, next.publicKey))).toEqual({
      code: 0,
      frauds: [],
    });
  }, 30_000);

  it('is not believed where another key was pinned', async () => {
    const stranger = formatVerifierKey(ORIGIN, generateKeyPairSync('ed25519').publicKey);
    const { code, frauds } = await verify('--log-key', stranger);
    expect([code, frauds[0]?.kind]).toEqual([10, 'forged']);
  });

  it('cannot be taken back: the first key has its successor', async () => {
    const third = generateKeyPairSync('ed25519');
    writeFileSync(file('third.pem'), third.privateKey.export({ format: 'pem', type: 'pkcs8' }), {
      mode: 0o600,
    });
    const trust = JSON.parse(readFileSync(file('trust.json'), 'utf8')) as {
      logs: { origin: string; jwk: object }[];
    };
    const { crv, kty, x } = third.publicKey.export({ format: 'jwk' });
    trust.logs.push({ origin: ORIGIN, jwk: { crv, kty, x, kid: 'third' } });
    writeFileSync(file('trust.json'), JSON.stringify(trust));
    await deployment.stopAudit('SIGTERM');
    environment['SIEGEL_AUDIT_LOG_KEY_FILE'] = file('third.pem');
    environment['SIEGEL_AUDIT_LOG_PREVIOUS_KEY_FILE'] = file('log.pem');
    await expect(deployment.startAudit()).rejects.toThrow(/succeeds already/);
    environment['SIEGEL_AUDIT_LOG_PREVIOUS_KEY_FILE'] = file('third.pem');
    await expect(deployment.startAudit()).rejects.toThrow(/holds the same key/);
    // Without the overlap the published checkpoint is one of a key that this one does not know.
    delete environment['SIEGEL_AUDIT_LOG_PREVIOUS_KEY_FILE'];
    await expect(deployment.startAudit()).rejects.toThrow(/no signature/);
  }, 30_000);
});
