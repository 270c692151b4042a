import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyReleaseEnvironment } from '../environment.js';
import { Signers } from './signers.js';

const DAY = 86_400_000;

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'siegel-signers-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const open = (days: number): Promise<Signers> =>
  Signers.open({
    SIEGEL_STATE_DIR: dir,
    SIEGEL_PKI_DIR: join(dir, 'pki'),
    SIEGEL_TOKEN_KEY_DIR: join(dir, 'tokens'),
    SIEGEL_TRUST_DOMAIN: 'test.local',
    SIEGEL_TOKEN_KEY_DAYS: days,
  } as KeyReleaseEnvironment);
const kids = ({ tokenKeys }: Signers, at: Date) => tokenKeys.jwks(at).keys.map(({ kid }) => kid);

describe('local signers', () => {
  it('sign for ever unless a life is set', async () => {
    const signers = await open(0);
    const now = new Date(Date.now() + 4_000 * DAY);
    const before = kids(signers, now);
    await signers.maintain(now);
    expect(kids(signers, now)).toEqual(before);
    expect(signers.tokenRootsPem()).toBeUndefined();
    signers.close();
  });

  it('follow each other: published ten minutes ahead, and believed for an hour after', async () => {
    const signers = await open(30);
    const start = new Date();
    const first = signers.tokenKeys.current(start).kid;
    await signers.maintain(start);
    expect(kids(signers, start)).toHaveLength(2);
    expect(signers.tokenKeys.current(start).kid).toBe(first);
    const after = (minutes: number) => new Date(start.getTime() + minutes * 60_000);
    expect(signers.tokenKeys.current(after(11)).kid).not.toBe(first);
    expect(signers.tokenKeys.verificationKey(first, after(69))).toBeDefined();
    expect(signers.tokenKeys.verificationKey(first, after(71))).toBeUndefined();
    await signers.maintain(after(11));
    expect(kids(signers, after(11))).toHaveLength(2);
    await signers.maintain(new Date(start.getTime() + 31 * DAY));
    expect(kids(signers, new Date(start.getTime() + 31 * DAY))).toHaveLength(2);
    signers.close();
  });

  it('of a replica are those of the other, which shares the folder', async () => {
    const [one, other] = [await open(30), await open(30)];
    const now = new Date();
    await one.maintain(now);
    await other.maintain(now);
    expect(kids(other, now)).toEqual(kids(one, now));
    one.close();
    other.close();
  });
});
