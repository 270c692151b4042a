import { type IssuedLeaf, isDnsName, LocalSigner, MeshCa, PublicKey } from '#pki';
import { hash, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';

/** The root is measured into every enclave that trusts it, so it outlives them; what it signs is replaced all the time. */
const ROOT_DAYS = 7_305;
const INTERMEDIATE_DAYS = 90;
const LEAF_SECONDS = 7 * 24 * 3_600;

export interface ProvisioningIdentity {
  readonly key: string;
  /** Leaf and intermediate. */
  readonly cert: string;
  readonly renewAt: Date;
}

/** The authority that Gramine clients pin by SECRET_PROVISION_CA_CHAIN_PATH; in a folder of its own, apart from the mesh's. */
export class ProvisioningAuthority {
  private constructor(private readonly ca: MeshCa) {}

  static async open(dir: string, trustDomain: string): Promise<ProvisioningAuthority> {
    const ca = await MeshCa.open({
      dir,
      trustDomain: `gramine.${trustDomain}`,
      rootDays: ROOT_DAYS,
      intermediateDays: INTERMEDIATE_DAYS,
      maxLeafTtlSeconds: LEAF_SECONDS,
      backdateSeconds: 60,
    });
    return new ProvisioningAuthority(ca);
  }

  /** What belongs into the trusted file of an enclave: the root alone, as intermediates change. */
  get root(): { pem: string; sha256: string; notAfter: string } {
    const pem = this.ca.rootPem;
    const { raw, validToDate } = new X509Certificate(pem);
    return { pem, sha256: hash('sha256', raw, 'hex'), notAfter: validToDate.toISOString() };
  }

  /** A server certificate over a new P-256 key (Mbed TLS has no Ed25519) that lives in memory alone. */
  async identity(names: readonly string[], now: Date): Promise<ProvisioningIdentity> {
    const signer = LocalSigner.generate('ES256');
    const leaf: IssuedLeaf = await this.ca.issueLeaf({
      spki: PublicKey.fromKeyObject(signer.publicKey),
      dns: names.filter((name) => isIP(name) === 0),
      ips: names.filter((name) => isIP(name) !== 0),
      ttlSeconds: LEAF_SECONDS,
      now,
    });
    const renewAt = new Date((now.getTime() + leaf.notAfter.getTime()) / 2);
    return { key: signer.toPem(), cert: leaf.chainPem, renewAt };
  }
}

/** Names of the server certificate: those given, else every name under which a tenant can be reached, one label before them included. */
export function provisioningNames(
  given: string | undefined,
  own: string,
  hosts: Iterable<string>,
): readonly string[] {
  const split = (text: string): string[] =>
    text
      .split(',')
      .map((name) => name.trim().toLowerCase())
      .filter((name) => name !== '');
  if (given !== undefined) return split(given);
  const listed = [...hosts].filter((host) => isIP(host) !== 0 || isDnsName(host));
  const wildcards = listed
    .filter((host) => isIP(host) === 0)
    .map((host) => `*.${host}`)
    .filter(isDnsName);
  return [...new Set([...split(own), ...listed, ...wildcards])];
}
