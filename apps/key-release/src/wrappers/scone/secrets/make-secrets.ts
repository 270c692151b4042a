import { createPublicKey, type KeyObject, randomBytes, randomInt, X509Certificate } from 'node:crypto';
import { BACKDATE_MS, keyOf, makeCertificate } from './certificates.js';
import { keyTypeOf, newPrivateKey, pem, pkcs8Der, readPrivateKey, spkiDer } from './key-encoding.js';
import { type MadeSecret, type MadeSecrets, type SconeSecret, SecretProblem } from './made-secret.js';
import { makePgpKey } from './pgp/pgp-key.js';

const DEFAULT_SIZE = 20;
/** All printable ASCII characters, space included. */
const FIRST = 0x20;
const LAST = 0x7e;
const MAX_ISSUERS = 8;

/**
 * Makes the secrets of a session that are made here, in the order of their references. Kinds that are made at each attestation (tokens), or
 * come from elsewhere (imports, fragments), are left out.
 *
 * @param previous of the version that this one replaces. Kept on update: ascii and binary of the same size, PGP keys; private keys only
 *   where both versions say `migrate: true`. Certificates are always made anew.
 * @throws SecretProblem
 */
export async function makeSecrets(
  secrets: readonly SconeSecret[],
  previous: MadeSecrets,
  now: Date,
): Promise<Map<string, MadeSecret>> {
  const maker = new Maker(new Map(secrets.map((secret) => [secret.name, secret])), previous, now);
  for (const { name } of secrets) await maker.make(name, []);
  return maker.made;
}

/**
 * Makes the certificates anew that have lived for two thirds of their time, and those that they signed; everything else stays. Undefined
 * where none has.
 * @throws SecretProblem
 */
export async function renewCertificates(
  secrets: readonly SconeSecret[],
  previous: MadeSecrets,
  now: Date,
): Promise<{ made: Map<string, MadeSecret>; renewed: string[] } | undefined> {
  const stale = secrets.filter(({ name, value }) => value === undefined && isStale(previous.get(name), now));
  if (stale.length === 0) return undefined;
  const byName = new Map(secrets.map((secret) => [secret.name, secret]));
  const maker = new Maker(byName, previous, now, true);
  for (const { name } of secrets) await maker.make(name, []);
  const renewed = [...maker.made].filter(([name, made]) => previous.get(name) !== made).map(([name]) => name);
  return { made: maker.made, renewed };
}

function isStale(secret: MadeSecret | undefined, now: Date): boolean {
  if (!secret || !('certificate' in secret)) return false;
  const { validFrom, validTo } = new X509Certificate(secret.certificate);
  const [from, to] = [Date.parse(validFrom) + BACKDATE_MS, Date.parse(validTo)];
  return now.getTime() >= from + ((to - from) * 2) / 3;
}

class Maker {
  readonly made = new Map<string, MadeSecret>();

  constructor(
    private readonly secrets: ReadonlyMap<string, SconeSecret>,
    private readonly previous: MadeSecrets,
    private readonly now: Date,
    /** Whether nothing but certificates that are stale is made anew. */
    private readonly renewing = false,
  ) {}

  async make(name: string, open: readonly string[]): Promise<MadeSecret | undefined> {
    const known = this.made.get(name);
    const secret = this.secrets.get(name);
    if (known || !secret || secret.import || secret.importAkv) return known;
    if (open.includes(name) || open.length > MAX_ISSUERS)
      throw new SecretProblem('SCONE_SECRET_INVALID', `"${name}" refers to itself, or too far`);
    const made = (await this.kept(secret, [...open, name])) ?? (await this.one(secret, [...open, name]));
    if (made) this.made.set(name, made);
    return made;
  }

  /** What stays when only certificates are renewed: those that are fresh, of the same issuer and key, and all other secrets. */
  private async kept(secret: SconeSecret, open: readonly string[]): Promise<MadeSecret | undefined> {
    const previous = this.previous.get(secret.name);
    if (!this.renewing || !previous || isStale(previous, this.now)) return undefined;
    for (const name of [secret.issuer, secret.privateKey])
      if (name !== undefined && (await this.make(name, open)) !== this.previous.get(name)) return undefined;
    return previous;
  }

  private async one(secret: SconeSecret, open: readonly string[]): Promise<MadeSecret | undefined> {
    switch (secret.kind) {
      case 'ascii':
        return this.ascii(secret);
      case 'binary':
        return this.binary(secret);
      case 'private-key':
        return this.privateKey(secret);
      case 'public-key':
        return this.publicKey(secret, open);
      case 'x509':
      case 'x509-ca':
        return this.certificate(secret, secret.kind, open);
      case 'pgp-key': {
        const kept = this.previous.get(secret.name);
        return kept?.kind === 'pgp-key' ? kept : { kind: 'pgp-key', ...makePgpKey(secret.name, this.now) };
      }
      default:
        return undefined;
    }
  }

  private ascii({ name, value, size = DEFAULT_SIZE }: SconeSecret): MadeSecret {
    if (typeof value === 'string') return { kind: 'ascii', text: value };
    const kept = this.previous.get(name);
    if (kept?.kind === 'ascii' && kept.size === size) return kept;
    const text = Array.from({ length: size }, () => String.fromCharCode(randomInt(FIRST, LAST + 1))).join('');
    return { kind: 'ascii', text, size };
  }

  private binary({ name, value, size = DEFAULT_SIZE }: SconeSecret): MadeSecret {
    if (typeof value === 'string') {
      if (!/^(?:[0-9a-f]{2})*$/i.test(value))
        throw new SecretProblem('SCONE_SECRET_INVALID', `the value of "${name}" is not hexadecimal`);
      return { kind: 'binary', base64: Buffer.from(value, 'hex').toString('base64') };
    }
    const kept = this.previous.get(name);
    if (kept?.kind === 'binary' && kept.size === size) return kept;
    return { kind: 'binary', base64: randomBytes(size).toString('base64'), size };
  }

  private async privateKey({ name, value, keyType = 'P-256', migrate }: SconeSecret): Promise<MadeSecret> {
    if (typeof value === 'string') {
      const key = readPrivateKey(value, name);
      return { kind: 'private-key', ...encoded(key), keyType: keyTypeOf(key) ?? '', migrate };
    }
    const kept = this.previous.get(name);
    if (kept?.kind === 'private-key' && kept.migrate && migrate && kept.keyType === keyType) return kept;
    return { kind: 'private-key', ...encoded(await newPrivateKey(keyType)), keyType, migrate };
  }

  private async publicKey({ name, value, privateKey }: SconeSecret, open: readonly string[]) {
    if (typeof value === 'string') {
      try {
        return { kind: 'public-key', publicKey: pem('PUBLIC KEY', spkiDer(createPublicKey(value))) } as const;
      } catch {
        throw new SecretProblem('SCONE_SECRET_INVALID', `the value of "${name}" is no public key`);
      }
    }
    const key = await this.keyNamed(privateKey, name, open);
    return { kind: 'public-key', publicKey: pem('PUBLIC KEY', spkiDer(key)) } as const;
  }

  private async certificate(
    secret: SconeSecret,
    kind: 'x509' | 'x509-ca',
    open: readonly string[],
  ): Promise<MadeSecret> {
    const { name, value, privateKey, issuer } = secret;
    const key = privateKey === undefined ? undefined : await this.keyNamed(privateKey, name, open);
    if (typeof value === 'string') {
      const [certificate = '', ...issuers] = certificatesOf(value, name);
      if (key && !new X509Certificate(certificate).checkPrivateKey(key))
        throw new SecretProblem('SCONE_SECRET_INVALID', `"${name}" is not a certificate of its private key`);
      return { kind, certificate, issuers, privateKey: key ? encoded(key).privateKey : '' };
    }
    const own = key ?? (await newPrivateKey());
    const parent = issuer === undefined ? undefined : await this.issuerNamed(issuer, name, open);
    const certificate = await makeCertificate(
      secret,
      own,
      parent && { certificate: parent.certificate, key: keyOf(parent.privateKey) },
      this.now,
    );
    const issuers = parent ? [parent.certificate, ...parent.issuers] : [];
    return { kind, certificate, issuers, ...encoded(own) };
  }

  private async keyNamed(
    wanted: string | undefined,
    by: string,
    open: readonly string[],
  ): Promise<KeyObject> {
    const found = wanted === undefined ? undefined : await this.make(wanted, open);
    if (found?.kind === 'private-key') return keyOf(found.privateKey);
    throw new SecretProblem('SCONE_SECRET_UNKNOWN', `"${by}" names no private-key of this session`);
  }

  private async issuerNamed(wanted: string, by: string, open: readonly string[]) {
    const found = await this.make(wanted, open);
    if (found?.kind === 'x509-ca' && found.privateKey !== '') return found;
    throw new SecretProblem('SCONE_SECRET_UNKNOWN', `"${by}" names no x509-ca of this session with a key`);
  }
}

const encoded = (key: KeyObject): { privateKey: string } => ({
  privateKey: pem('PRIVATE KEY', pkcs8Der(key)),
});

function certificatesOf(text: string, name: string): string[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    const read = blocks.map((block) => pem('CERTIFICATE', new X509Certificate(block).raw));
    if (read.length > 0 && read.length <= MAX_ISSUERS) return read;
  } catch {
    // Said below.
  }
  throw new SecretProblem('SCONE_SECRET_INVALID', `the value of "${name}" is no certificate`);
}
