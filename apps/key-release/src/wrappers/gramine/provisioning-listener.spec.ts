import { describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { ProvisioningAuthority, provisioningNames } from './provisioning-authority.js';
import { readRequest } from './read-request.js';
import { sendsNoTickets } from './ticket-probe.js';

describe('names of the server certificate', () => {
  it('are all under which it can be reached, unless they are given', () => {
    const hosts = ['shop.example', '10.0.0.1', 'single', 'not a name'];
    expect(provisioningNames(undefined, 'localhost, 127.0.0.1', hosts)).toEqual([
      'localhost',
      '127.0.0.1',
      'shop.example',
      '10.0.0.1',
      'single',
      '*.shop.example',
    ]);
    expect(provisioningNames(' Given.example ,', 'localhost', hosts)).toEqual(['given.example']);
  });
});

describe('the authority', () => {
  it('keeps its root and rotates what is below it', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'siegel-gramine-ca-'));
    try {
      const first = await ProvisioningAuthority.open(dir, 'siegel.local');
      const again = await ProvisioningAuthority.open(dir, 'siegel.local');
      expect(again.root).toEqual(first.root);
      const now = new Date();
      const [today, later] = [
        await again.identity(['localhost'], now),
        await again.identity(['localhost'], new Date(now.getTime() + 89 * 86_400_000)),
      ];
      const issuerOf = ({ cert }: { cert: string }): string => cert.split('-----BEGIN')[2] ?? '';
      expect(issuerOf(today)).not.toBe('');
      expect(issuerOf(later)).not.toBe(issuerOf(today));
      expect(today.renewAt.getTime() - now.getTime()).toBeLessThan(4 * 86_400_000);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

describe('session tickets after TLS 1.3 handshakes', () => {
  it('are there in a plain Node, and are found out', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'siegel-gramine-ca-'));
    try {
      const identity = await (
        await ProvisioningAuthority.open(dir, 'siegel.local')
      ).identity(['localhost'], new Date());
      expect(await sendsNoTickets(identity)).toBe(false);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

describe('reading a request', () => {
  it('puts its parts together and hands out what came too much', async () => {
    const socket = new PassThrough();
    const outcome = readRequest(socket, 4, 1_000);
    socket.write('ab');
    socket.write('cde');
    expect(await outcome).toEqual({ kind: 'request', bytes: Buffer.from('abcde') });
  });

  it('ends with its time, or with its peer', async () => {
    expect(await readRequest(new PassThrough(), 4, 20)).toEqual({ kind: 'timeout' });
    const gone = new PassThrough();
    const outcome = readRequest(gone, 4, 1_000);
    gone.end('ab');
    expect(await outcome).toEqual({ kind: 'gone' });
  });
});
