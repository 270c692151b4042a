import { DirectoryAuthorityStore, MemoryAuthorityStore } from './authority-store.js';
import type { AuthorityStore, StoredAuthority } from './authority-store.js';
import { createAuthorityCertificate, isIssuedBy } from './certificate-authority.js';
import type { AuthorityCertificate } from './certificate-authority.js';
import { toPem } from './certificate-pem.js';
import { LeafWriter } from './leaf-writer.js';
import { meshCaSettings } from './mesh-ca-settings.js';
import type { MeshCaOptions, MeshCaSettings } from './mesh-ca-settings.js';
import { PkiError } from './pki-error.js';
import { PublicKey } from './public-key.js';
import { LocalSigner } from './signer.js';
import type { Signer } from './signer.js';
import { checkSubjectNames } from './subject-names.js';
import type { RequestedNames } from './subject-names.js';

export interface LeafRequest extends RequestedNames {
  /** The leaf's key: an accepted key (cheapest where the caller has it already), or DER SPKI. */
  spki: PublicKey | Uint8Array;
  ttlSeconds: number;
  now: Date;
  /** Default: the first DNS name of at most 64 characters that is no wildcard; without one the subject is empty. */
  commonName?: string;
}

export interface IssuedLeaf {
  certificatePem: string;
  /** Leaf, then intermediate: what a TLS server sends. */
  chainPem: string;
  certificateDer: Buffer;
  /** Hex, 16 octets. */
  serial: string;
  /** Of the DER, hex. */
  sha256: string;
  notBefore: Date;
  notAfter: Date;
}

interface Issuer {
  certificate: AuthorityCertificate;
  writer: LeafWriter;
}

const DAY = 86_400_000;
const RETRY_MS = 60_000;

/**
 * The mesh's certificate authority: a root (local, or a vault's key) that signs short-lived local intermediates,
 * which sign leaves. Opened by several processes on one directory, all share the root; each may make intermediates.
 */
export class MeshCa {
  #issuers: Issuer[] = [];
  #rotation: Promise<void> | undefined;
  #failedAt = -Infinity;

  private constructor(
    private readonly store: AuthorityStore,
    private readonly root: AuthorityCertificate,
    private readonly rootSigner: Signer,
    private readonly settings: MeshCaSettings,
  ) {}

  /**
   * Opens the authority; creates root and intermediate at first start. Throws SETTING_INVALID, CA_STATE_INVALID,
   * CA_EXPIRED, SIGNER_FAILED and the KEY_FILE_… codes.
   */
  static async open(options: MeshCaOptions): Promise<MeshCa> {
    const settings = meshCaSettings(options);
    const store =
      options.store ??
      (options.dir === undefined
        ? new MemoryAuthorityStore()
        : await DirectoryAuthorityStore.open(options.dir));
    const now = settings.clock();
    const { certificate, signer } = await openRoot(store, settings, options.rootSigner, now);
    const ca = new MeshCa(store, certificate, signer, settings);
    ca.#adopt(await store.loadIntermediates());
    try {
      await ca.maintain(now);
    } catch (error) {
      // A root signer out of reach must not keep a service from starting while an intermediate is valid.
      if (ca.#issuing(now) === undefined) throw error;
    }
    return ca;
  }

  /** The trust anchor that relying parties pin. */
  get rootPem(): string {
    return this.root.pem;
  }

  get rootExpiresAt(): Date {
    return this.root.notAfter;
  }

  get trustDomain(): string {
    return this.settings.trustDomain;
  }

  /** The longest life that `issueLeaf` accepts, in seconds. */
  get maxLeafTtlSeconds(): number {
    return this.settings.maxLeafTtlSeconds;
  }

  /** PEM of all intermediates that are still valid, the issuing one first. */
  intermediatesPem(now: Date): string[] {
    return this.#issuers
      .filter(({ certificate }) => now <= certificate.notAfter)
      .map(({ certificate }) => certificate.pem);
  }

  /** When the issuing intermediate ends; undefined when none is valid at `now`. */
  issuerExpiresAt(now: Date): Date | undefined {
    return this.#issuing(now)?.certificate.notAfter;
  }

  /**
   * Issues a leaf for TLS servers and clients. It never outlives its intermediate: near that one's end a new
   * intermediate is made first. Throws KEY_… for the key, KEY_NOT_USABLE for X25519, NAME_…, SPIFFE_ID_INVALID,
   * LEAF_TTL_OUT_OF_BOUNDS, CA_EXPIRED, SIGNER_FAILED.
   */
  async issueLeaf(request: LeafRequest): Promise<IssuedLeaf> {
    const { ttlSeconds, now } = request;
    const { minLeafTtlSeconds, maxLeafTtlSeconds, backdateSeconds } = this.settings;
    const key = request.spki instanceof PublicKey ? request.spki : PublicKey.fromSpki(request.spki);
    if (!key.canSign) throw new PkiError('KEY_NOT_USABLE', `${key.kind} cannot authenticate TLS`);
    if (!(ttlSeconds >= minLeafTtlSeconds && ttlSeconds <= maxLeafTtlSeconds)) {
      throw new PkiError('LEAF_TTL_OUT_OF_BOUNDS', `${minLeafTtlSeconds} to ${maxLeafTtlSeconds} s`);
    }
    const names = checkSubjectNames(request, this.settings.trustDomain);
    const commonName =
      request.commonName ?? names.dns.find((name) => name.length <= 64 && !name.startsWith('*'));
    // eslint-disable-next-line no-control-regex -- a control character in a subject is what is refused here
    if (commonName !== undefined && (commonName.length > 64 || /^$|[\u0000-\u001f\u007f]/.test(commonName))) {
      throw new PkiError('NAME_INVALID', 'common name');
    }
    await this.#rotateIfNeeded(now);
    const issuing = this.#issuing(now);
    if (issuing === undefined) throw new PkiError('CA_EXPIRED', 'no intermediate');
    const { certificate: issuer, writer } = issuing;
    const second = Math.floor(now.getTime() / 1000);
    const notBefore = later(new Date((second - backdateSeconds) * 1000), issuer.notBefore);
    const notAfter = earlier(new Date((second + Math.floor(ttlSeconds)) * 1000), issuer.notAfter);
    const leaf = await writer.write({
      key,
      names,
      notBefore,
      notAfter,
      ...(commonName === undefined ? {} : { commonName }),
    });
    const certificatePem = toPem('CERTIFICATE', leaf.der);
    return {
      certificatePem,
      chainPem: certificatePem + issuer.pem,
      certificateDer: leaf.der,
      serial: leaf.serial,
      sha256: leaf.sha256,
      notBefore,
      notAfter,
    };
  }

  /**
   * Makes a new intermediate when the issuing one nears its end, and forgets expired ones. Cheap when there is
   * nothing to do; calls at the same time share one rotation. Throws CA_EXPIRED when the root is not valid.
   */
  async maintain(now: Date): Promise<void> {
    if (this.#needsRotation(now)) await this.rotateIntermediate(now);
    const expired = this.#issuers.filter(({ certificate }) => certificate.notAfter < now);
    if (expired.length === 0) return;
    this.#issuers = this.#issuers.filter((issuer) => !expired.includes(issuer));
    for (const { certificate } of expired) await this.store.removeIntermediate(certificate);
  }

  /** Makes a new intermediate now. Leaves of the former one stay valid: they carry it in their chain. */
  async rotateIntermediate(now: Date): Promise<void> {
    this.#rotation ??= this.#createIntermediate(now).finally(() => {
      this.#rotation = undefined;
    });
    await this.#rotation;
  }

  /**
   * A root signer that is out of reach (a throttled vault) must not stop issuance while an intermediate is valid:
   * the leaf is then clamped to it, and the rotation tried again after a minute. `maintain` reports the failure.
   */
  async #rotateIfNeeded(now: Date): Promise<void> {
    if (!this.#needsRotation(now)) return;
    const canIssue = this.#issuing(now) !== undefined;
    if (canIssue && now.getTime() - this.#failedAt < RETRY_MS) return;
    try {
      await this.maintain(now);
    } catch (error) {
      this.#failedAt = now.getTime();
      if (!canIssue) throw error;
    }
  }

  async #createIntermediate(now: Date): Promise<void> {
    const { trustDomain, intermediateDays, backdateSeconds } = this.settings;
    if (!(now >= this.root.notBefore && now < this.root.notAfter)) throw new PkiError('CA_EXPIRED');
    const signer = LocalSigner.generate('ES256');
    const certificate = await createAuthorityCertificate({
      role: 'intermediate',
      trustDomain,
      subjectKey: PublicKey.fromKeyObject(signer.publicKey),
      notBefore: later(new Date(now.getTime() - backdateSeconds * 1000), this.root.notBefore),
      notAfter: earlier(new Date(now.getTime() + intermediateDays * DAY), this.root.notAfter),
      issuer: this.root,
      signer: this.rootSigner,
    });
    await this.store.saveIntermediate({ certificate, signer });
    this.#adopt([{ certificate, signer }]);
  }

  /** Takes up intermediates that are this root's; the newest stands first. */
  #adopt(intermediates: readonly StoredAuthority[]): void {
    for (const { certificate, signer } of intermediates) {
      if (signer === undefined || !isIssuedBy(certificate, this.root)) {
        throw new PkiError('CA_STATE_INVALID', `intermediate ${certificate.keyIdentifier.toString('hex')}`);
      }
      const writer = new LeafWriter(signer, certificate.subject, certificate.keyIdentifier);
      this.#issuers.unshift({ certificate, writer });
    }
    this.#issuers.sort((a, b) => b.certificate.notBefore.getTime() - a.certificate.notBefore.getTime());
  }

  /** The newest intermediate that is valid at `now`. */
  #issuing(now: Date): Issuer | undefined {
    return this.#issuers.find(
      ({ certificate: { notBefore, notAfter } }) => notBefore <= now && now < notAfter,
    );
  }

  /** True when nothing can issue, or when the longest leaf would outlive its issuer and a new one would end later. */
  #needsRotation(now: Date): boolean {
    const end = this.#issuing(now)?.certificate.notAfter.getTime();
    if (end === undefined) return true;
    return (
      end - now.getTime() < this.settings.rotateBeforeSeconds * 1000 && end < this.root.notAfter.getTime()
    );
  }
}

async function openRoot(
  store: AuthorityStore,
  settings: MeshCaSettings,
  external: Signer | undefined,
  now: Date,
): Promise<{ certificate: AuthorityCertificate; signer: Signer }> {
  let root = await store.loadRoot();
  if (root === undefined) {
    const local = external === undefined ? LocalSigner.generate('ES256') : undefined;
    const signer = external ?? local;
    if (signer === undefined) throw new PkiError('SIGNING_KEY_MISSING', 'root');
    const certificate = await createAuthorityCertificate({
      role: 'root',
      trustDomain: settings.trustDomain,
      subjectKey: PublicKey.fromKeyObject(signer.publicKey),
      notBefore: new Date(now.getTime() - settings.backdateSeconds * 1000),
      notAfter: new Date(now.getTime() + settings.rootDays * DAY),
      signer,
    });
    await store.saveRoot({ certificate, ...(local === undefined ? {} : { signer: local }) });
    root = await store.loadRoot();
  }
  const signer = external ?? root?.signer;
  if (root === undefined || signer === undefined)
    throw new PkiError('CA_STATE_INVALID', 'the root has no key');
  const { certificate } = root;
  if (signer.kid !== certificate.key.thumbprint)
    throw new PkiError('CA_STATE_INVALID', "the root's key is another one");
  if (!isIssuedBy(certificate, certificate)) throw new PkiError('CA_STATE_INVALID', "the root's signature");
  if (!(now >= certificate.notBefore && now < certificate.notAfter)) throw new PkiError('CA_EXPIRED');
  return { certificate, signer };
}

const later = (a: Date, b: Date): Date => (a > b ? a : b);
const earlier = (a: Date, b: Date): Date => (a < b ? a : b);
