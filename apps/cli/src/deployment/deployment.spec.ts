import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { recordingTerminal } from '../terminal/recording-terminal.js';
import { Deployment } from './deployment.js';

describe('Deployment', () => {
  let state = '';

  beforeAll(() => {
    state = mkdtempSync(join(tmpdir(), 'siegel-deployment-'));
    writeFileSync(
      join(state, 'siegel.json'),
      JSON.stringify({
        siegel: 1,
        release: { url: 'https://localhost:8443', caFile: 'ca.pem' },
        audit: { url: 'http://127.0.0.1:8445', tokenFile: 'missing.token' },
        tenant: 'shop',
        vault: 'demo',
        future: { members: 'are left alone' },
      }),
    );
    writeFileSync(join(state, 'ca.pem'), 'not read by these tests');
  });
  afterAll(() => rmSync(state, { recursive: true, force: true }));

  it('prefers an option to a variable, and a variable to the file', async () => {
    const env = { SIEGEL_STATE: state };
    const open = (options: object, more: Record<string, string> = {}): Promise<Deployment> =>
      Deployment.open(options, recordingTerminal({ env: { ...env, ...more } }));
    expect((await open({})).url('release')).toBe('https://localhost:8443');
    expect((await open({}, { SIEGEL_URL: 'https://env:1' })).url('release')).toBe('https://env:1');
    const both = await open({ url: 'https://option:2' }, { SIEGEL_URL: 'https://env:1' });
    expect(both.url('release')).toBe('https://option:2');
    expect(both.tenant(undefined)).toBe('shop');
    expect(both.tenant('other')).toBe('other');
    expect(both.vault(undefined)).toBe('demo');
  });

  it('takes a relative state folder from where the user stands', async () => {
    const deployment = await Deployment.open({ state: '.' }, recordingTerminal({ cwd: state }));
    expect(deployment.found?.folder).toBe(state);
  });

  it.each([
    ['a state folder that is not there', { state: 'nowhere' }, 'STATE_NOT_FOUND', 1],
    ['a timeout that is none', { timeout: 'soon' }, 'USAGE', 2],
  ])('refuses %s', async (_name, options, code, exit) => {
    await expect(Deployment.open(options, recordingTerminal({ cwd: state }))).rejects.toMatchObject({
      code,
      exit,
    });
  });

  it.each([
    ['not JSON', '{', 'is not JSON'],
    ['another version', '{"siegel": 2}', 'siegel: '],
    ['an address that is none', '{"siegel": 1, "audit": {"url": "ftp://x"}}', 'audit.url: '],
  ])('says what is wrong with a siegel.json that is %s', async (_name, text, message) => {
    const folder = mkdtempSync(join(tmpdir(), 'siegel-deployment-'));
    try {
      writeFileSync(join(folder, 'siegel.json'), text);
      await expect(Deployment.open({ state: folder }, recordingTerminal())).rejects.toMatchObject({
        code: 'STATE_INVALID',
        message: expect.stringContaining(message),
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('names the credential that it cannot read, and the service that it does not know', async () => {
    const deployment = await Deployment.open({ state }, recordingTerminal());
    await expect(deployment.client('audit')).rejects.toMatchObject({
      code: 'CREDENTIAL_UNREADABLE',
      message: expect.stringContaining('missing.token'),
    });
    expect(() => deployment.url('verifier')).toThrow(expect.objectContaining({ code: 'STATE_INVALID' }));
  });

  it('refuses names that would become something else in a path', async () => {
    const deployment = await Deployment.open({ state }, recordingTerminal());
    for (const name of ['../admin', 'a/b', 'UPPER', '']) {
      expect(() => deployment.tenant(name)).toThrow(expect.objectContaining({ code: 'USAGE' }));
    }
    expect(() => deployment.vault('a/../b')).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});
