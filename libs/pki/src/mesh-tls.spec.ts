import { describe, expect, it } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:tls';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { MeshCa } from './mesh-ca.js';
import { PublicKey } from './public-key.js';

const now = new Date();

interface Identity {
  key: string;
  cert: string;
}

async function identity(
  ca: MeshCa,
  pair: { privateKey: KeyObject; publicKey: KeyObject },
  name: string,
): Promise<Identity> {
  const { chainPem } = await ca.issueLeaf({
    spki: PublicKey.fromKeyObject(pair.publicKey),
    dns: [name],
    ips: ['127.0.0.1'],
    spiffeId: `spiffe://shop.example/${name}`,
    ttlSeconds: 600,
    now,
  });
  return { key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), cert: chainPem };
}

/** One real handshake on loopback; what each side knows of the other, or the client's error. */
async function handshake(
  server: Identity,
  clientCa: string,
  client: ConnectionOptions,
): Promise<{ seenByServer: string } | { error: string }> {
  const listener = createServer(
    { ...server, ca: clientCa, requestCert: true, rejectUnauthorized: true },
    (socket: TLSSocket) => {
      socket.on('error', () => undefined);
      socket.end(socket.getPeerX509Certificate()?.subjectAltName ?? 'nobody');
    },
  );
  listener.on('tlsClientError', () => undefined);
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const socket = connect({ host: '127.0.0.1', port, ...client });
  try {
    return await new Promise((done) => {
      let seen = '';
      socket.on('data', (chunk: Buffer) => (seen += chunk.toString()));
      socket.on('error', (error: Error & { code?: string }) => done({ error: error.code ?? error.message }));
      socket.on('end', () => done(seen === '' ? { error: 'closed' } : { seenByServer: seen }));
    });
  } finally {
    socket.destroy();
    listener.close();
  }
}

describe('leaves in TLS', () => {
  it.each([
    ['P-256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' })],
    ['P-384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' })],
    ['Ed25519', () => generateKeyPairSync('ed25519')],
    ['RSA', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
  ])(
    'of %s keys authenticate server and client to each other, by the root alone',
    async (_kind, generate) => {
      const ca = await MeshCa.open({ trustDomain: 'shop.example' });
      const server = await identity(ca, generate(), 'pay.shop.svc');
      const client = await identity(ca, generate(), 'web.shop.svc');
      for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
        const options = { ...client, ca: ca.rootPem, servername: 'pay.shop.svc', maxVersion };
        expect(await handshake(server, ca.rootPem, options)).toEqual({
          seenByServer: 'DNS:web.shop.svc, IP Address:127.0.0.1, URI:spiffe://shop.example/web.shop.svc',
        });
      }
      // By address, without a name.
      expect(await handshake(server, ca.rootPem, { ...client, ca: ca.rootPem })).toHaveProperty(
        'seenByServer',
      );
    },
  );

  it('are refused for another name, by another root, and as a client of another mesh', async () => {
    const ca = await MeshCa.open({ trustDomain: 'shop.example' });
    const other = await MeshCa.open({ trustDomain: 'shop.example' });
    const generate = (): { privateKey: KeyObject; publicKey: KeyObject } =>
      generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const server = await identity(ca, generate(), 'pay.shop.svc');
    const client = await identity(ca, generate(), 'web.shop.svc');
    const stranger = await identity(other, generate(), 'web.shop.svc');
    const good = { ...client, ca: ca.rootPem, servername: 'pay.shop.svc' };
    expect(await handshake(server, ca.rootPem, { ...good, servername: 'web.shop.svc' })).toEqual({
      error: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
    expect(await handshake(server, ca.rootPem, { ...good, ca: other.rootPem })).toEqual({
      error: expect.stringMatching(/SELF_SIGNED|UNABLE/),
    });
    expect(await handshake(server, ca.rootPem, { ...good, ...stranger })).toHaveProperty('error');
  });

  it('stay valid beside new ones when the intermediate was rotated', async () => {
    const ca = await MeshCa.open({ trustDomain: 'shop.example' });
    const generate = (): { privateKey: KeyObject; publicKey: KeyObject } =>
      generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const before = await identity(ca, generate(), 'pay.shop.svc');
    await ca.rotateIntermediate(now);
    const after = await identity(ca, generate(), 'web.shop.svc');
    expect(before.cert.split('-----BEGIN')[2]).not.toBe(after.cert.split('-----BEGIN')[2]);
    expect(
      await handshake(before, ca.rootPem, { ...after, ca: ca.rootPem, servername: 'pay.shop.svc' }),
    ).toHaveProperty('seenByServer');
    expect(
      await handshake(after, ca.rootPem, { ...before, ca: ca.rootPem, servername: 'web.shop.svc' }),
    ).toHaveProperty('seenByServer');
  });
});
