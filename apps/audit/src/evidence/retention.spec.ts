import { afterEach, describe, expect, it } from '@jest/globals';
import { hash, randomBytes } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { FencedError } from '../store/fenced-error.js';
import type { ArchiveReader, ArchiveWriter } from './archive.js';
import { EvidenceArchive } from './evidence-archive.js';
import { EvidenceCipher } from './evidence-cipher.js';
import { EvidenceKeeper } from './evidence-keeper.js';
import { evidenceKeys } from './evidence-keys.js';
import { collateralId } from './collateral-wishes.js';
import { PendingEvidence } from './pending-evidence.js';
import { Retention } from './retention.js';

const quote = randomBytes(200);
const digest = hash('sha256', quote);
const bundle = { tcb_info: 'x' };
const id = collateralId(bundle);
const handover = (collateral?: string) =>
  Buffer.from(JSON.stringify({ v: 1, evidence: quote.toString('base64url'), collateral }));
const running: Retention[] = [];
afterEach(() => Promise.all(running.splice(0).map((each) => each.stop())));

/** One process; what it keeps it keeps in an archive of its own. */
function replica() {
  const limits = { maxAgeMs: 1e12, maxBytes: 1e9 };
  const archive = new EvidenceArchive(
    new DatabaseSync(':memory:'),
    new EvidenceCipher(evidenceKeys([Buffer.alloc(32)])),
    limits,
  );
  const problems: string[] = [];
  const entry = Buffer.from(
    JSON.stringify({
      event: {
        id: 'e',
        type: 'attestation.granted',
        outcome: 'granted',
        tenant: 'shop',
        time: new Date().toISOString(),
        data: { evidence: { sha256: digest, collateral: id } },
      },
      kid: 'k',
      sig: 's',
    }),
  );
  const events: Buffer[] = [];
  const reader: ArchiveReader = {
    info: (sha256) => Promise.resolve(archive.info(sha256, Date.now())),
    read: (sha256) => Promise.resolve(archive.read(sha256, Date.now())),
    collateral: (of) => Promise.resolve(archive.collateral(of)),
    erase: (sha256) => Promise.resolve(archive.erase(sha256)),
    close: () => Promise.resolve(),
  };
  const writer: ArchiveWriter = {
    mark: () => Promise.resolve(archive.mark ?? 0),
    commit: (evidence, mark) => Promise.resolve(archive.commit(evidence, mark, Date.now())),
    known: (digests) => Promise.resolve(archive.known(digests, Date.now())),
    putCollateral: (of, text) => Promise.resolve(archive.putCollateral(of, text, Date.now())),
    purge: () => Promise.resolve(archive.purge(Date.now())),
  };
  const pending = new PendingEvidence();
  const retention = new Retention(
    reader,
    pending,
    (on) =>
      new EvidenceKeeper(on, pending, {
        retained: 'granted',
        graceMs: 60_000,
        after: (position, limit) => {
          const rows = events.slice(position, position + limit);
          return Promise.resolve({
            bytes: new Uint8Array(Buffer.concat(rows)).buffer,
            events: rows.map(({ length }, i) => ({
              position: position + i + 1,
              log: 'l',
              index: position + i,
              time: Date.now(),
              length,
            })),
          });
        },
        head: () => events.length,
        record: () => undefined,
        handedToAll: true,
        onProblem: (message) => problems.push(message),
      }),
    (message) => problems.push(message),
  );
  running.push(retention);
  const until = async (holds: () => Promise<boolean>) => {
    for (let i = 0; i < 200 && !(await holds()); i++) await delay(20);
    return holds();
  };
  return { retention, writer, problems, name: () => events.push(entry), until };
}

describe('what verifiers hand over', () => {
  it('is taken by every replica and answered by the one that leads', async () => {
    const { retention, writer, name, until } = replica();
    expect(retention.take(handover())).toBeUndefined();
    retention.lead(() => Promise.resolve(writer));
    // From the first moment on: what waits is in memory.
    expect(retention.take(handover())).toEqual({ collateralWanted: false });
    name();
    retention.wake();
    expect(await until(async () => (await retention.read(digest)) !== undefined)).toBe(true);
    expect(await retention.read(digest)).toEqual(quote);
    retention.follow();
    expect(retention.take(handover())).toBeUndefined();
  });

  it('is kept by the next leader where the one that answered had not', async () => {
    const next = replica();
    expect(next.retention.take(handover(id))).toBeUndefined();
    next.name();
    next.retention.lead(() => Promise.resolve(next.writer));
    expect(await next.until(async () => (await next.retention.read(digest)) !== undefined)).toBe(true);
    expect((await next.retention.info(digest))!.collateral).toBe(id);
  });

  it('of collateral is kept by whoever leads when it comes, whichever replica asked for it', async () => {
    const { retention, writer, until } = replica();
    const send = (content: object) =>
      retention.takeCollateral(Buffer.from(JSON.stringify({ v: 1, id, bundle: content })));
    retention.take(handover(id));
    expect(await send(bundle)).toBe(false);
    retention.lead(() => Promise.resolve(writer));
    expect(await until(() => send({ other: 'x' }).then(Boolean, () => true))).toBe(true);
    await expect(send({ other: 'x' })).rejects.toMatchObject({ code: 'REQUEST_MALFORMED' });
    // It is asked for, and has that id; that it is no collateral is found all the same.
    await expect(send(bundle)).rejects.toThrow();
    expect(await retention.collateral(id)).toBeUndefined();
  });
});

describe('a term', () => {
  it('begins when the archive can be claimed, says why it cannot, and not for one that is over', async () => {
    const { retention, writer, problems, until } = replica();
    let attempts = 0;
    retention.lead(() =>
      ++attempts < 2 ? Promise.reject(new Error('the database is away')) : Promise.resolve(writer),
    );
    expect(await until(() => Promise.resolve(attempts === 2))).toBe(true);
    expect(problems).toEqual(['evidence is not kept yet: the database is away']);
    const fenced = replica();
    let claims = 0;
    fenced.retention.lead(() => {
      claims++;
      return Promise.reject(new FencedError('another process leads'));
    });
    await delay(50);
    fenced.retention.follow();
    await fenced.retention.stop();
    expect([claims, fenced.problems]).toEqual([1, []]);
  });
});
