import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SimulatedSgx } from '#simulator';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './main.js';
import { recordingTerminal, type RecordingTerminal } from './terminal/recording-terminal.js';

const AT = '2026-05-04T12:00:00Z';

describe('run', () => {
  let folder = '';

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'siegel-cli-'));
    const sgx = SimulatedSgx.create({ seed: 'main', now: new Date(AT) });
    const platform = sgx.platform({ name: 'p' });
    const quote = platform.quote({ mrenclave: '11'.repeat(32), isvProdId: 7, isvSvn: 2 });
    writeFileSync(join(folder, 'quote.bin'), quote);
    writeFileSync(join(folder, 'quote.hex'), quote.toString('hex').replace(/.{60}/g, '$&\n'));
    writeFileSync(join(folder, 'bundle.json'), JSON.stringify(sgx.collateral({ platform })));
    writeFileSync(join(folder, 'root.pem'), sgx.rootPem);
    writeFileSync(join(folder, 'broken.json'), '{"tcb_info": 1}');
    writeFileSync(join(folder, 'huge.bin'), Buffer.alloc(300_000, 1));
    writeFileSync(join(folder, 'empty.bin'), '');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function siegel(
    args: string[],
    stdin?: Buffer,
  ): Promise<{ code: number; terminal: RecordingTerminal; json: never }> {
    const terminal = recordingTerminal({ cwd: folder, ...(stdin ? { stdin } : {}) });
    const code = await run(args, terminal);
    const json = (args.includes('--json') ? JSON.parse(terminal.written.out) : undefined) as never;
    return { code, terminal, json };
  }
  const verify = (quote: string, ...more: string[]): string[] => [
    ...['verify', quote, '--collateral', 'bundle.json', '--at', AT, '--trust-root', 'root.pem'],
    ...more,
  ];

  it('verifies with a root that is given, and says that it is not Intel’s', async () => {
    const { code, json } = await siegel(verify('quote.bin', '--json'));
    expect(code).toBe(0);
    expect(json).toMatchObject({
      verified: true,
      tcbStatus: 'UpToDate',
      mrenclave: '11'.repeat(32),
      isvProdId: 7,
      isvSvn: 2,
      trustRoot: 'custom',
      simulated: true,
    });
  });

  it('reads hex, and a quote from standard input', async () => {
    expect((await siegel(verify('quote.hex', '--json'))).json).toMatchObject({ verified: true });
    const sgx = SimulatedSgx.create({ seed: 'main', now: new Date(AT) });
    const quote = sgx.platform({ name: 'p' }).quote({ mrenclave: '22'.repeat(32) });
    expect((await siegel(verify('-', '--json'), quote)).json).toMatchObject({
      verified: true,
      mrenclave: '22'.repeat(32),
    });
  });

  it('does not trust a simulated root by itself', async () => {
    const { code, json } = await siegel([
      'verify',
      'quote.bin',
      '--collateral',
      'bundle.json',
      '--at',
      AT,
      '--json',
    ]);
    expect(code).toBe(1);
    expect(json).toMatchObject({ verified: false, error: { code: 'ROOT_NOT_TRUSTED' } });
  });

  it.each([
    ['an empty quote', ['empty.bin'], 'QUOTE_TOO_SHORT'],
    ['a quote that is too large', ['huge.bin'], 'QUOTE_TOO_LARGE'],
  ])('gives a verdict on %s', async (_name, [quote = ''], expected) => {
    const { code, json } = await siegel(verify(quote, '--json'));
    expect(code).toBe(1);
    expect(json).toMatchObject({ verified: false, error: { code: expected }, trustRoot: 'custom' });
  });

  it('gives a verdict on a bundle that is none, and still shows the quote', async () => {
    const args = [
      'verify',
      'quote.bin',
      '--collateral',
      'broken.json',
      '--at',
      AT,
      '--trust-root',
      'root.pem',
      '--json',
    ];
    const { code, json } = await siegel(args);
    expect(code).toBe(1);
    expect(json).toMatchObject({
      verified: false,
      error: { code: 'COLLATERAL_INVALID', message: expect.stringContaining('tcb_info') },
      mrenclave: '11'.repeat(32),
    });
  });

  it.each([
    ['a missing quote', ['verify', 'none.bin', '--collateral', 'bundle.json', '--at', AT], 'FILE_NOT_FOUND'],
    ['a folder', ['verify', '.', '--collateral', 'bundle.json', '--at', AT], 'FILE_UNREADABLE'],
    ['a missing bundle', ['verify', 'quote.bin', '--collateral', 'none.json', '--at', AT], 'FILE_NOT_FOUND'],
    ['a bad time', ['verify', 'quote.bin', '--collateral', 'bundle.json', '--at', 'today'], 'TIME_INVALID'],
    ['no --at', ['verify', 'quote.bin', '--collateral', 'bundle.json'], 'USAGE'],
    ['no --collateral', ['verify', 'quote.bin', '--at', AT], 'USAGE'],
    ['no quote', ['verify', '--collateral', 'bundle.json', '--at', AT], 'USAGE'],
    ['two quotes', ['verify', 'a', 'b', '--collateral', 'bundle.json', '--at', AT], 'USAGE'],
    ['both from standard input', ['verify', '-', '--collateral', '-', '--at', AT], 'USAGE'],
    ['a bad grace', verify('quote.bin', '--grace', '-1'), 'USAGE'],
    ['a root that is none', [...verify('quote.bin').slice(0, -1), 'bundle.json'], 'TRUST_ROOT_INVALID'],
    ['an unknown option', ['verify', 'quote.bin', '--collatteral', 'x'], 'USAGE'],
    ['an unknown command', ['verifi'], 'USAGE'],
    ['no command', [], 'USAGE'],
    ['a group without a command', ['manifest'], 'USAGE'],
    ['a missing manifest', ['manifest', 'lint', 'none.yaml'], 'FILE_NOT_FOUND'],
    ['a secret’s name that is none', ['secret', 'put', '../x'], 'USAGE'],
  ])('calls %s a usage error', async (_name, args, expected) => {
    const machine = await siegel([...args, '--json']);
    expect(machine.code).toBe(2);
    expect(machine.json).toEqual({
      error: { code: expected, message: expect.any(String), remedy: expect.any(String) },
    });
    expect(machine.terminal.written.err).toBe('');

    const person = await siegel(args);
    expect(person.code).toBe(2);
    expect(person.terminal.written.out).toBe('');
    expect(person.terminal.written.err).toMatch(/^(siegel: .+\n.+\n|Usage: siegel)/);
  });

  it('suggests what was meant', async () => {
    const { terminal } = await siegel(['verifi']);
    expect(terminal.written.err).toContain('(Did you mean verify?)');
  });

  it('explains itself: every command with a summary, groups and examples', async () => {
    const { code, terminal } = await siegel(['--help']);
    expect(code).toBe(0);
    for (const part of [
      'Quotes and collateral (offline):',
      'Operating a deployment:',
      'Examples:',
      'Exit code:',
    ]) {
      expect(terminal.written.out).toContain(part);
    }
    const help = await siegel(['help', 'verify']);
    expect(help.code).toBe(0);
    expect(help.terminal.written.out).toContain('--collateral <bundle.json>');
    const version = await siegel(['--version']);
    expect(version.terminal.written.out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('shows a person the verdict, each step and what the status means', async () => {
    const { terminal } = await siegel(verify('quote.bin'));
    expect(terminal.written.out).toMatch(
      /^✓ verified at 2026-05-04T12:00:00Z: SGX quote v3, TCB status UpToDate\n/,
    );
    expect(terminal.written.out).toContain('✓ quote-signature');
    expect(terminal.written.out).toContain('The root is the one given with --trust-root');
    expect(terminal.written.out).toContain('Nothing to do.');
    expect(terminal.written.out).not.toContain('\u001b[');
  });
});
