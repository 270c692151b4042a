import { LocalSigner, MeshCa, PublicKey } from '#pki';
import { mkdirSync, writeFileSync } from 'node:fs';
import type { Layout } from './layout.js';

/** Files of the verifier's MAA-compatible API in a deployment of this machine. */
export interface MaaFiles {
  readonly issuer: string;
  readonly tenants: string;
  readonly certificate: string;
  readonly key: string;
  /** What clients of it trust; its authority is not the mesh's. */
  readonly ca: string;
}

const DAYS = 30;

/** The API's tenant and TLS identity: a certificate of an authority in the state folder, made anew at every start. */
export async function prepareMaa(layout: Layout, port: number, tenant: string): Promise<MaaFiles> {
  const path = (name: string): string => layout.path('quote-verifier', 'maa', name);
  mkdirSync(path('.'), { recursive: true, mode: 0o700 });
  const issuer = `https://localhost:${port}`;
  const files: MaaFiles = {
    issuer,
    tenants: path('tenants.json'),
    certificate: path('server.pem'),
    key: path('server-key.pem'),
    ca: layout.path('maa-ca.pem'),
  };
  const ca = await MeshCa.open({
    dir: path('ca'),
    trustDomain: 'maa.siegel.local',
    maxLeafTtlSeconds: DAYS * 86_400,
  });
  const signer = LocalSigner.generate('ES256');
  const leaf = await ca.issueLeaf({
    spki: PublicKey.fromKeyObject(signer.publicKey),
    dns: ['localhost'],
    ips: ['127.0.0.1'],
    ttlSeconds: Math.min(DAYS * 86_400, ca.maxLeafTtlSeconds),
    now: new Date(),
  });
  writeFileSync(files.tenants, `${JSON.stringify({ tenants: { [tenant]: { issuer } } }, null, 2)}\n`);
  writeFileSync(files.certificate, leaf.chainPem);
  writeFileSync(files.key, signer.toPem(), { mode: 0o600 });
  writeFileSync(files.ca, ca.rootPem);
  return files;
}
