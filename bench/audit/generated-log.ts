import { hash, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Committer } from '../../apps/audit/src/sequencing/committer.js';
import type { IncomingEvent } from '../../apps/audit/src/sequencing/placer.js';
import { OwnEmitter } from '../../apps/audit/src/sequencing/own-events.js';
import { openLogForWriting } from '../../apps/audit/src/store/log-database.js';
import { type AuditDeployment, ORIGIN } from '../../test/audit-deployment.js';

const GROUP = 1_000;
const REASONS = ['RELEASE_DENIED', 'EVIDENCE_REJECTED', 'BINDING_MISMATCH', 'CHALLENGE_EXPIRED'];

export const WORKLOADS = Array.from({ length: 50 }, (_, i) => `workload-${i}`);
export const MEASUREMENTS = Array.from({ length: 500 }, (_, i) => hash('sha256', `measurement ${i}`));

/**
 * Fills a state folder with `count` events through the committer itself, without the broker. They are of realistic size
 * and spread, but their signatures are not real: signing ten million events would take most of an hour and the store
 * does not look at them. Resolves with the rate in events per second.
 */
export function generateLog(deployment: AuditDeployment, count: number): number {
  const database = openLogForWriting(join(deployment.state, 'log.db'));
  const { privateKey, kid } = deployment.logKey;
  const own = new OwnEmitter('audit', deployment.ownKey.kid, 'bench', deployment.ownKey.privateKey);
  const logs = [
    { id: 0, origin: ORIGIN, kid, name: 'default' },
    { id: 1, origin: 'siegel.test/other', kid, name: 'other' },
  ];
  const committer = new Committer(database, { logs, logKey: privateKey, own, gapGraceMs: 2_000 });
  const epoch = randomUUID();
  const started = performance.now();
  for (let seq = 1; seq <= count;) {
    const group: IncomingEvent[] = [];
    for (; group.length < GROUP && seq <= count; seq++) group.push(generated(seq, epoch));
    committer.commit(group, [], Date.now());
  }
  const seconds = (performance.now() - started) / 1_000;
  database.close();
  return count / seconds;
}

/** One event in a hundred is a denial; measurements belong to workloads as they do in life. */
function generated(seq: number, epoch: string): IncomingEvent {
  const denied = seq % 100 === 0;
  const measurement = (seq * 7_919) % MEASUREMENTS.length;
  const id = randomUUID();
  const event = {
    data: {
      binding: 'sha256-spki',
      boundKey: 'k'.repeat(43),
      challenge: false,
      ...(denied
        ? {
            conditions: [
              { actual: MEASUREMENTS[measurement], expected: MEASUREMENTS[0], name: 'mrenclave', ok: false },
            ],
          }
        : {
            grants: ['db-password', 'api-key', 'tls-edge'].map((objectName) => ({
              alias: objectName.toUpperCase(),
              as: 'env',
              objectName,
              objectType: 'secret',
              vault: 'prod',
              version: hash('md5', objectName),
            })),
            tokenId: id,
          }),
      evidence: { fmspc: '00906ed50000', format: 'dcap', sha256: hash('sha256', id), tee: 'sgx' },
      manifest: { digest: MEASUREMENTS[1], version: 3 },
      protocol: 'native',
    },
    emitter: { epoch, instance: 'key-release-1', name: 'key-release', seq },
    id,
    mrenclave: MEASUREMENTS[measurement],
    mrsigner: MEASUREMENTS[2],
    outcome: denied ? 'denied' : 'granted',
    ...(denied
      ? { reason: { code: REASONS[seq % REASONS.length], message: 'The manifest does not allow this.' } }
      : {}),
    session: id,
    simulated: true,
    tcbStatus: seq % 10 === 0 ? 'SWHardeningNeeded' : 'UpToDate',
    tenant: 'default',
    time: new Date().toISOString(),
    type: denied ? 'attestation.denied' : 'attestation.granted',
    v: 1,
    workload: WORKLOADS[measurement % WORKLOADS.length],
  };
  const entry = Buffer.from(JSON.stringify({ event, kid: 'k'.repeat(43), sig: 's'.repeat(86) }));
  return { tenant: 'default', emitter: 'key-release', epoch, seq, entry };
}
