import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { randomBytes, X509Certificate } from 'node:crypto';
import type { Boot } from '../apps/cli/src/demo/simulated-enclave.js';
import {
  certificateFor,
  entryBytes,
  envSecret,
  fileSecret,
  type LoggedEvent,
  manifestOf,
  numberingFaults,
  OfflineChecks,
  RunningSiegel,
  startSiegel,
} from './harness/index.js';

jest.setTimeout(180_000);
const ENCLAVES = 1_000;
const MACHINES = 20;
const PASSWORD = randomBytes(24).toString('base64url');
const FILE = JSON.stringify({ apiKey: randomBytes(24).toString('base64url') });

describe('1,000 enclaves that attest at once', () => {
  let siegel: RunningSiegel;
  let boots: Boot[];
  let events: LoggedEvent[];

  beforeAll(async () => {
    siegel = await startSiegel({
      maxSockets: ENCLAVES,
      secrets: { password: PASSWORD, file: FILE },
      manifest: manifestOf({
        fleet: {
          certificate: certificateFor('fleet'),
          secrets: [envSecret('password', 'PASSWORD'), fileSecret('file', '/run/secrets/file.json')],
        },
      }),
    });
    const enclaves = Array.from({ length: ENCLAVES }, (_unused, at) =>
      siegel.machines.enclave('fleet', {}, { name: `machine-${at % MACHINES}` }),
    );
    boots = await Promise.all(enclaves.map((enclave) => enclave.attest(siegel.service)));
    events = await siegel.log.all();
  });
  afterAll(() => siegel?.stop());

  it('all receive what the manifest grants, each sealed to its own key', () => {
    expect(boots).toHaveLength(ENCLAVES);
    for (const { response, payload } of boots) {
      expect(response.workload).toBe('fleet');
      expect(payload.env).toEqual({ PASSWORD });
      expect(payload.files).toEqual([
        { path: '/run/secrets/file.json', mode: '0400', content: Buffer.from(FILE).toString('base64') },
      ]);
    }
    const certificates = boots.map(({ payload }) => new X509Certificate(payload.certificate!.chainPem));
    expect(new Set(certificates.map(({ serialNumber }) => serialNumber)).size).toBe(ENCLAVES);
    expect(new Set(certificates.map(({ publicKey }) => publicKey.export({ format: 'jwk' })['x'])).size).toBe(
      ENCLAVES,
    );
    expect(new Set(boots.map(({ response }) => response.release)).size).toBe(ENCLAVES);
  });

  it('each session has exactly one attestation event, and no other attestation was logged', () => {
    const granted = events.filter(({ event }) => event.type === 'attestation.granted');
    expect(granted).toHaveLength(ENCLAVES);
    expect(granted.map(({ event }) => event.session).sort()).toEqual(
      boots.map(({ response }) => response.session).sort(),
    );
    expect(new Set(boots.map(({ response }) => response.session)).size).toBe(ENCLAVES);
    expect(events.filter(({ event }) => event.outcome === 'denied' || event.outcome === 'alert')).toEqual([]);
  });

  it('the numbering has no gap and no repetition, neither of the emitters nor of the log', () => {
    expect(numberingFaults(events)).toEqual({ doubled: [], missing: [] });
    expect(new Set(events.map(({ event }) => event.id)).size).toBe(events.length);
    expect(events.map(({ index }) => index)).toEqual(events.map((_unused, at) => at));
  });

  it('each promise holds for its logged event, and each event for its emitter, by the trust file alone', () => {
    const offline = new OfflineChecks(siegel.layout.trust);
    const bySession = new Map(events.map((logged) => [logged.event.session, logged]));
    for (const { response } of boots) {
      const logged = bySession.get(response.session)!;
      expect(response.promise.index).toBe(logged.index);
      offline.promises.verify(response.promise, entryBytes(logged));
      expect(offline.signedByEmitter(logged)).toBe(true);
    }
  });

  it('a promise holds for no other event, and an event that was changed for no emitter', () => {
    const offline = new OfflineChecks(siegel.layout.trust);
    const [one, other] = boots.map(({ response }) => response) as [Boot['response'], Boot['response']];
    const logged = events.find(({ event }) => event.session === other.session)!;
    expect(() => offline.promises.verify(one.promise, entryBytes(logged))).toThrow('another entry');
    const moved = { ...one.promise, index: one.promise.index + 1 };
    const own = events.find(({ event }) => event.session === one.session)!;
    expect(() => offline.promises.verify(moved, entryBytes(own))).toThrow();
    const changed = { ...own, event: { ...own.event, workload: 'other' } } as LoggedEvent;
    expect(offline.signedByEmitter(changed)).toBe(false);
  });

  it('the events say which secrets went out, never what they hold', () => {
    const text = JSON.stringify(events);
    expect(text).toContain('"objectName":"password"');
    for (const secret of [PASSWORD, FILE, JSON.parse(FILE).apiKey as string])
      expect(text).not.toContain(secret);
    for (const secret of [PASSWORD, JSON.parse(FILE).apiKey as string])
      expect(siegel.logText()).not.toContain(secret);
  });

  it('one service process of each kind did it all', () => {
    expect(siegel.pids()).toEqual(siegel.started.pids);
  });
});
