import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fromPem, toPem } from './certificate-pem.js';
import type { PublicJwk } from './jwk.js';
import { createKeyFile, errno, listKeyDirectory, makeKeyDirectory, readKeyFile } from './key-file.js';
import { isPkiError, PkiError } from './pki-error.js';
import { LocalSigner } from './signer.js';
import type { Signer } from './signer.js';
import { SigningKeys } from './signing-keys.js';
import { checkTokenChain, createTokenCertificate } from './token-certificate.js';

export interface CertifiedKeysOptions {
  /** Shared by all replicas; mode 0700. */
  dir: string;
  /** The key that certifies now (a vault's). */
  certifier: () => Signer;
  /** How long a local key signs. */
  keySeconds: number;
  /** How long a new key is published before it signs. */
  publishAheadSeconds: number;
  /** How long a key verifies after its successor has begun to sign. Default 3600. */
  overlapSeconds?: number;
  now: Date;
}

interface CertifiedKey {
  readonly file: string;
  readonly signer: CertifiedSigner;
  readonly signsFrom: Date;
  readonly notAfter: Date;
  readonly certifierKid: string;
}

/** A local key that shows its certificate chain in its JWK. */
class CertifiedSigner implements Signer {
  readonly alg: Signer['alg'];
  readonly kid: string;
  readonly publicKey: Signer['publicKey'];

  constructor(
    private readonly local: LocalSigner,
    readonly chain: readonly Buffer[],
  ) {
    this.alg = local.alg;
    this.kid = local.kid;
    this.publicKey = local.publicKey;
  }

  jwk(): PublicJwk {
    return { ...this.local.jwk(), x5c: this.chain.map((der) => der.toString('base64')) };
  }

  sign(data: Uint8Array): Buffer {
    return this.local.sign(data);
  }
}

/**
 * Short-lived local signing keys, each certified by a key that is too slow or too precious to sign itself. One file per key,
 * `<signsFrom, unix ms>.<kid>.certified.pem`: leaf, root and PKCS#8 key together, so that they cannot come apart.
 */
export class CertifiedKeys {
  /** What signs and verifies now; the same object for the life of this one. */
  readonly keys: SigningKeys;
  #known: readonly CertifiedKey[] = [];
  #maintenance: Promise<void> | undefined;

  private constructor(
    private readonly options: CertifiedKeysOptions,
    first: readonly CertifiedKey[],
  ) {
    const { overlapSeconds } = options;
    this.keys = SigningKeys.of(first, overlapSeconds === undefined ? {} : { overlapSeconds });
    this.#known = first;
  }

  /** Opens the directory; makes and certifies the first key at first start. Throws SIGNER_FAILED and the KEY_FILE_… codes. */
  static async open(options: CertifiedKeysOptions): Promise<CertifiedKeys> {
    await makeKeyDirectory(options.dir);
    const certifier = options.certifier();
    const usable = ({ notAfter }: CertifiedKey): boolean => notAfter > options.now;
    let known = (await readDirectory(options.dir)).filter(usable);
    if (!known.some(({ signsFrom }) => signsFrom <= options.now)) {
      await create(options, certifier, options.now, options.now);
      known = (await readDirectory(options.dir)).filter(usable);
    }
    const opened = new CertifiedKeys(options, known);
    try {
      await opened.maintain(options.now);
    } catch (error) {
      // The next look reports it; what is there signs on.
      if (!isPkiError(error, 'SIGNER_FAILED')) throw error;
    }
    return opened;
  }

  /** The certificates of all certifiers whose keys are published, PEM, each once. */
  rootsPem(): string {
    const roots = this.#known.map(({ signer }) => toPem('CERTIFICATE', signer.chain.at(-1)!));
    return [...new Set(roots)].join('');
  }

  /**
   * Takes up keys of other replicas, forgets what is over, and makes the next key when it is due: ahead of the end of the newest,
   * or because another key certifies now. Throws SIGNER_FAILED when the certifier is out of reach; what there is goes on signing.
   */
  async maintain(now: Date): Promise<void> {
    this.#maintenance ??= this.#maintain(now).finally(() => {
      this.#maintenance = undefined;
    });
    await this.#maintenance;
  }

  async #maintain(now: Date): Promise<void> {
    this.#adopt(await this.#withoutPast(now), now);
    const { keySeconds, publishAheadSeconds } = this.options;
    const newest = this.#known.at(-1);
    const certifier = this.options.certifier();
    const end = newest === undefined ? now.getTime() : newest.signsFrom.getTime() + keySeconds * 1000;
    const due = now.getTime() >= end - publishAheadSeconds * 1000;
    if (!due && newest?.certifierKid === certifier.kid) return;
    // A schedule that is over (the certifier was out of reach) or another certifier: as soon as caches allow.
    const signsFrom = new Date(now.getTime() + publishAheadSeconds * 1000);
    await create(this.options, certifier, now, signsFrom);
    this.#adopt(await this.#withoutPast(now), now);
  }

  #adopt(known: readonly CertifiedKey[], now: Date): void {
    this.#known = known.filter(({ notAfter }) => notAfter > now);
    this.keys.replace(this.#known);
  }

  async #withoutPast(now: Date): Promise<CertifiedKey[]> {
    const overlapMs = (this.options.overlapSeconds ?? 3600) * 1000;
    const all = await readDirectory(this.options.dir);
    const kept: CertifiedKey[] = [];
    for (const [index, key] of all.entries()) {
      const successor = all[index + 1];
      const over = successor !== undefined && successor.signsFrom.getTime() + overlapMs <= now.getTime();
      if (over || key.notAfter.getTime() + overlapMs <= now.getTime()) await remove(key.file);
      else kept.push(key);
    }
    return kept;
  }
}

async function create(
  { dir, keySeconds, overlapSeconds = 3600 }: CertifiedKeysOptions,
  certifier: Signer,
  now: Date,
  signsFrom: Date,
): Promise<void> {
  const local = LocalSigner.generate('ES256');
  // Twice its life and the overlap: an outage of the vault for as long as a key lives stops nothing.
  const lifeMs = (2 * keySeconds + overlapSeconds) * 1000;
  const notBefore = new Date(now.getTime() - 60_000);
  const notAfter = new Date(signsFrom.getTime() + lifeMs);
  const root = await rootOf(dir, certifier, now);
  const leaf = await createTokenCertificate({ subject: local, certifier, notBefore, notAfter });
  const content = toPem('CERTIFICATE', leaf) + toPem('CERTIFICATE', root) + local.toPem();
  await createKeyFile(join(dir, `${signsFrom.getTime()}.${local.kid}.certified.pem`), content);
}

/** The certifier's own certificate, made once and kept, so that relying parties can pin it. */
async function rootOf(dir: string, certifier: Signer, now: Date): Promise<Buffer> {
  const file = join(dir, `${certifier.kid}.certifier.pem`);
  for (;;) {
    try {
      const [root] = fromPem('CERTIFICATE', await readKeyFile(file)) ?? [];
      if (root === undefined) throw new PkiError('KEY_FILE_INVALID', `${file} holds no certificate`);
      return root;
    } catch (error) {
      if (!isPkiError(error, 'KEY_FILE_NOT_FOUND')) throw error;
    }
    const notAfter = new Date(now.getTime() + ROOT_YEARS * 365 * 86_400_000);
    const root = await createTokenCertificate({
      certifier,
      notBefore: new Date(now.getTime() - 60_000),
      notAfter,
    });
    try {
      await createKeyFile(file, toPem('CERTIFICATE', root));
      return root;
    } catch (error) {
      // Another replica was faster: its certificate is everybody's.
      if (!isPkiError(error, 'KEY_FILE_EXISTS')) throw error;
    }
  }
}

const ROOT_YEARS = 10;
const FILE_NAME = /^(\d{1,14})\.([A-Za-z0-9_-]{43})\.certified\.pem$/;

/** All keys of the directory by the time from which they sign. */
async function readDirectory(dir: string): Promise<CertifiedKey[]> {
  const keys: CertifiedKey[] = [];
  for (const name of await listKeyDirectory(dir)) {
    const named = FILE_NAME.exec(name);
    if (named === null) continue;
    const file = join(dir, name);
    let text: string;
    try {
      text = await readKeyFile(file);
    } catch (error) {
      // Another replica may have removed one that is over.
      if (isPkiError(error, 'KEY_FILE_NOT_FOUND')) continue;
      throw error;
    }
    const [leaf, root, ...others] = fromPem('CERTIFICATE', text) ?? [];
    if (leaf === undefined || root === undefined || others.length > 0)
      throw new PkiError('KEY_FILE_INVALID', `${file} holds not two certificates`);
    const local = LocalSigner.fromPem(text.slice(text.indexOf('-----BEGIN PRIVATE KEY-----')), file);
    if (local.kid !== named[2]) throw new PkiError('KEY_FILE_INVALID', `${file} holds another key`);
    const { notAfter, certifierKid } = checkTokenChain(leaf, root, local);
    const signer = new CertifiedSigner(local, [leaf, root]);
    keys.push({ file, signer, signsFrom: new Date(Number(named[1])), notAfter, certifierKid });
  }
  return keys.sort((a, b) => a.signsFrom.getTime() - b.signsFrom.getTime());
}

async function remove(file: string): Promise<void> {
  try {
    await unlink(file);
  } catch (cause) {
    if (errno(cause) !== 'ENOENT') throw new PkiError('KEY_FILE_IO', file, { cause });
  }
}
