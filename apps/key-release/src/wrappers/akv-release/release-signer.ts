import { fromPem, type MeshCa, PublicKey } from '#pki';
import { ConfigurationError } from '#platform';
import { Inject, Injectable } from '@nestjs/common';
import { createPrivateKey, generateKeyPair, hash, type KeyObject, sign, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { promisify } from 'node:util';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../environment.js';
import { MESH_CA } from '../../pipeline/certificate-issuance.js';
import { KeyDirectory } from './key-directory.js';

const LIFETIME_SECONDS = 30 * 86_400;
const RSA_BITS = 2048;
const generate = promisify(generateKeyPair);
const signWith = promisify(sign);

interface Identity {
  readonly key: KeyObject;
  readonly header: string;
  readonly renewAt: number;
  /** What it was read from; undefined for one of the mesh CA. */
  readonly source: KeysFiles;
}
type KeysFiles = KeyDirectory['signing'];

/**
 * Signs releases as Key Vault does: a compact JWS, RS256, with the certificate chain in its header (the leaf names the host of this
 * service). The operator's certificate, or one of the mesh CA over a key that lives in memory alone.
 */
@Injectable()
export class ReleaseSigner {
  private identity: Identity | undefined;
  private preparing: Promise<Identity> | undefined;

  constructor(
    private readonly directory: KeyDirectory,
    @Inject(MESH_CA) private readonly ca: MeshCa,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {
    // A certificate that cannot be used stops the start, not the first release.
    if (directory.signing) this.identity = fromFiles(directory.signing);
  }

  async sign(payload: object): Promise<string> {
    const { key, header } = await this.current();
    const input = `${header}.${Buffer.from(JSON.stringify(payload)).toString('base64url')}`;
    // With a callback the signature is made in the thread pool: RS256 takes a millisecond.
    const signature = await signWith('sha256', Buffer.from(input), key);
    return `${input}.${signature.toString('base64url')}`;
  }

  private current(): Promise<Identity> {
    const { identity } = this;
    const files = this.directory.signing;
    if (identity && identity.source === files && Date.now() < identity.renewAt)
      return Promise.resolve(identity);
    this.preparing ??= this.prepare(files).finally(() => (this.preparing = undefined));
    return this.preparing;
  }

  private async prepare(files: KeysFiles): Promise<Identity> {
    this.identity = files ? fromFiles(files) : await this.certified();
    return this.identity;
  }

  private async certified(): Promise<Identity> {
    const { privateKey, publicKey } = await generate('rsa', { modulusLength: RSA_BITS });
    const names = this.environment.SIEGEL_TLS_NAMES.split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '');
    const now = new Date();
    const leaf = await this.ca.issueLeaf({
      spki: PublicKey.fromKeyObject(publicKey),
      dns: names.filter((name) => isIP(name) === 0),
      ips: names.filter((name) => isIP(name) !== 0),
      spiffeId: `spiffe://${this.environment.SIEGEL_TRUST_DOMAIN}/siegel/akv-release`,
      ttlSeconds: LIFETIME_SECONDS,
      now,
    });
    const chain = fromPem('CERTIFICATE', `${leaf.chainPem}${this.ca.rootPem}`) ?? [];
    return {
      key: privateKey,
      header: headerOf(chain),
      renewAt: now.getTime() + (LIFETIME_SECONDS / 2) * 1_000,
      source: undefined,
    };
  }
}

/** @throws ConfigurationError */
function fromFiles(files: NonNullable<KeysFiles>): Identity {
  const refuse = (message: string): ConfigurationError =>
    new ConfigurationError([{ variable: 'SIEGEL_AKV_KEYS_FILE', message: `signing: ${message}` }]);
  const chain = fromPem('CERTIFICATE', files.certificatePem) ?? [];
  let key: KeyObject;
  let leaf: X509Certificate;
  try {
    key = createPrivateKey(files.keyPem);
    leaf = new X509Certificate(files.certificatePem);
  } catch (error) {
    throw refuse(`certificateFile and keyFile must be PEM (${(error as Error).message})`);
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (key.asymmetricKeyType !== 'rsa' || bits < RSA_BITS || chain.length === 0)
    throw refuse(
      `the protocol signs with RS256: an RSA key of at least ${RSA_BITS} bits and its certificate`,
    );
  if (!leaf.checkPrivateKey(key)) throw refuse('the key is not that of the first certificate');
  return { key, header: headerOf(chain), renewAt: Number.POSITIVE_INFINITY, source: files };
}

/** Members of Key Vault's own header (recorded from a managed HSM). */
function headerOf(chain: readonly Buffer[]): string {
  const [leaf = Buffer.alloc(0)] = chain;
  const header = {
    alg: 'RS256',
    typ: 'JWT',
    kid: hash('sha1', leaf, 'hex').toUpperCase(),
    x5t: hash('sha1', leaf, 'base64url'),
    'x5t#S256': hash('sha256', leaf, 'base64url'),
    x5c: chain.map((der) => der.toString('base64')),
  };
  return Buffer.from(JSON.stringify(header)).toString('base64url');
}
