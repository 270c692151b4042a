import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { BROKEN_QUOTES, SimulatedSgx } from '#simulator';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { siegel } from './cli-command.js';

// Every command is a process of its own, on a machine that may be busy.
jest.setTimeout(60_000);

const QUOTES = join(process.cwd(), '..', 'shared', 'vectors', 'quotes');

interface ExpectedSet {
  readonly file: string;
  readonly verificationTime: number;
  readonly expected: {
    readonly status?: string;
    readonly error?: string;
    readonly advisoryIds?: readonly string[];
  };
}

/** The newest set of each real quote that has its CRLs. */
function vectors(): { name: string; folder: string; set: ExpectedSet }[] {
  if (!existsSync(QUOTES)) {
    console.log('no vectors beside this checkout: the command is tested with simulated quotes alone');
    return [];
  }
  const folders = readdirSync(QUOTES).flatMap((owner) =>
    readdirSync(join(QUOTES, owner)).map((name) => join(QUOTES, owner, name)),
  );
  return folders.flatMap((folder) => {
    const { sets } = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as {
      sets: ExpectedSet[];
    };
    const [set] = sets
      .filter(({ file }) => !file.includes('NOCRL'))
      .sort((a, b) => b.verificationTime - a.verificationTime);
    return set ? [{ name: folder.slice(QUOTES.length + 1), folder, set }] : [];
  });
}

const iso = (seconds: number): string => new Date(seconds * 1_000).toISOString().replace('.000Z', 'Z');

describe('siegel verify', () => {
  const real = vectors();

  (real.length > 0
    ? it.each(real)
    : it.skip.each([{ name: 'no vectors', folder: '', set: {} as ExpectedSet }]))(
    'gives the expected verdict on $name',
    async ({ folder, set }) => {
      const at = iso(set.verificationTime);
      const args = ['verify', 'quote.bin', '--collateral', set.file, '--at', at, '--json'];
      const finished = await siegel(args, { cwd: folder });
      const report = finished.json();
      const { status, error } = set.expected;
      expect(finished.code).toBe(error === undefined ? 0 : 1);
      if (error === undefined) {
        expect(report).toMatchObject({
          verified: true,
          tcbStatus: status,
          trustRoot: 'intel-sgx-root',
          simulated: false,
        });
        expect(new Set(report['advisoryIds'] as string[])).toEqual(new Set(set.expected.advisoryIds));
      } else expect(report).toMatchObject({ verified: false, error: { code: error } });
    },
  );

  describe('with simulated evidence', () => {
    let folder = '';
    const at = new Date('2026-05-04T12:00:00Z');

    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'siegel-cli-verify-'));
      const sgx = SimulatedSgx.create({ seed: 'cli-verify', now: at });
      const platform = sgx.platform({ name: 'p', tcbStatus: 'OutOfDate' });
      writeFileSync(join(folder, 'root.pem'), sgx.rootPem);
      writeFileSync(join(folder, 'quote.bin'), platform.quote({ mrenclave: '5a'.repeat(32), isvSvn: 3 }));
      writeFileSync(join(folder, 'bundle.json'), JSON.stringify(sgx.collateral({ platform })));
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    const args = ['--collateral', 'bundle.json', '--at', '2026-05-04T12:00:00Z', '--trust-root', 'root.pem'];

    it('calls an outdated platform verified, with its status and exit code 0', async () => {
      const finished = await siegel(['verify', 'quote.bin', ...args, '--json'], { cwd: folder });
      expect(finished.code).toBe(0);
      expect(finished.json()).toMatchObject({
        verified: true,
        tcbStatus: 'OutOfDate',
        tee: 'sgx',
        quoteVersion: 3,
        mrenclave: '5a'.repeat(32),
        isvSvn: 3,
        trustRoot: 'custom',
      });
      expect(finished.out.trim().split('\n')).toHaveLength(1);
    });

    it('reads the quote from a pipe, in base64', async () => {
      const stdin = readFileSync(join(folder, 'quote.bin')).toString('base64');
      const finished = await siegel(['verify', '-', ...args, '--json'], { cwd: folder, stdin });
      expect(finished.json()).toMatchObject({ verified: true, mrenclave: '5a'.repeat(32) });
    });

    it('shows a person why, without colour in a pipe', async () => {
      const finished = await siegel(['verify', 'quote.bin', ...args], { cwd: folder });
      expect(finished.out).toMatch(/^✓ verified /);
      expect(finished.out).toContain('Update BIOS');
      expect(finished.out).not.toContain('\u001b');
    });

    it.each(Object.values(BROKEN_QUOTES).slice(0, 6))('refuses $name with its code', async (broken) => {
      const sgx = SimulatedSgx.create({ seed: 'cli-broken', now: at });
      const { quote, bundle, at: when } = broken.make(sgx);
      writeFileSync(join(folder, 'broken.bin'), quote);
      writeFileSync(join(folder, 'broken.json'), JSON.stringify(bundle));
      writeFileSync(join(folder, 'broken.pem'), sgx.rootPem);
      const time = when.toISOString();
      const finished = await siegel(
        [
          'verify',
          'broken.bin',
          '--collateral',
          'broken.json',
          '--at',
          time,
          '--trust-root',
          'broken.pem',
          '--json',
        ],
        { cwd: folder },
      );
      expect(finished.code).toBe(1);
      expect(finished.json()).toMatchObject({ verified: false, error: { code: broken.expectedCode } });
    });

    it.each([
      ['a missing file', ['verify', 'none.bin', ...args], 'FILE_NOT_FOUND'],
      ['a bad time', ['verify', 'quote.bin', '--collateral', 'bundle.json', '--at', '4 May'], 'TIME_INVALID'],
      ['missing options', ['verify', 'quote.bin'], 'USAGE'],
      ['an unknown command', ['attest'], 'USAGE'],
    ])('exits 2 for %s, in one sentence', async (_name, command, code) => {
      const person = await siegel(command, { cwd: folder });
      expect(person).toMatchObject({ code: 2, out: '' });
      expect(person.err).toMatch(/^siegel: [^\n]+\n[^\n]+\n$/);
      const machine = await siegel([...command, '--json'], { cwd: folder });
      expect(machine).toMatchObject({ code: 2, err: '' });
      expect(machine.json()).toMatchObject({ error: { code } });
    });
  });
});
