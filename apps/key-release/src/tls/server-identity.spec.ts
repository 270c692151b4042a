import { describe, expect, it } from '@jest/globals';
import { MemoryAuthorityStore, MeshCa } from '#pki';
import { ConfigurationError } from '#platform';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyReleaseEnvironment } from '../environment.js';
import { serverIdentity, tlsOptions } from './server-identity.js';

const environment = (change: Partial<KeyReleaseEnvironment> = {}) =>
  ({
    SIEGEL_TLS_NAMES: 'release.test, 127.0.0.1',
    SIEGEL_TRUST_DOMAIN: 'siegel.test',
    ...change,
  }) as KeyReleaseEnvironment;
const openCa = () => MeshCa.open({ store: new MemoryAuthorityStore(), trustDomain: 'siegel.test' });

describe('serverIdentity', () => {
  it('is a certificate of the mesh CA for all names, to be renewed at half of its life', async () => {
    const ca = await openCa();
    const now = new Date();
    const identity = await serverIdentity(environment(), ca, now);
    const leaf = new X509Certificate(identity.cert);
    expect(leaf.subjectAltName).toContain('DNS:release.test');
    expect(leaf.subjectAltName).toContain('IP Address:127.0.0.1');
    expect(leaf.subjectAltName).toContain('URI:spiffe://siegel.test/siegel/key-release');
    const life = leaf.validToDate.getTime() - now.getTime();
    expect(identity.renewAt!.getTime() - now.getTime()).toBeCloseTo(life / 2, -4);
    expect(tlsOptions(identity)).toMatchObject({ minVersion: 'TLSv1.2' });
  });

  it('is a new key each time: it lives in memory alone', async () => {
    const ca = await openCa();
    const [one, other] = await Promise.all([1, 2].map(() => serverIdentity(environment(), ca, new Date())));
    expect(one!.key).not.toBe(other!.key);
  });

  it('is what the operator provides, and then not renewed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'siegel-tls-'));
    try {
      const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
      writeFileSync(certFile, 'a certificate');
      writeFileSync(keyFile, 'a key');
      const files = { SIEGEL_TLS_CERT_FILE: certFile, SIEGEL_TLS_KEY_FILE: keyFile };
      expect(await serverIdentity(environment(files), await openCa(), new Date())).toEqual({
        cert: 'a certificate',
        key: 'a key',
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it.each(['SIEGEL_TLS_CERT_FILE', 'SIEGEL_TLS_KEY_FILE'] as const)(
    'is refused with %s alone',
    async (variable) => {
      const other = variable === 'SIEGEL_TLS_CERT_FILE' ? 'SIEGEL_TLS_KEY_FILE' : 'SIEGEL_TLS_CERT_FILE';
      const attempt = serverIdentity(environment({ [variable]: '/x.pem' }), await openCa(), new Date());
      await expect(attempt).rejects.toThrow(ConfigurationError);
      await expect(attempt).rejects.toMatchObject({ problems: [{ variable: other }] });
    },
  );
});
