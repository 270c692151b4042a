import { randomBytes } from 'node:crypto';
import { rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DirectoryAuthorityStore } from './authority-store.js';
import { makeKeyDirectory, syncDirectory } from './key-file.js';
import { MeshCa } from './mesh-ca.js';
import type { IssuedLeaf, LeafRequest } from './mesh-ca.js';
import type { MeshCaOptions } from './mesh-ca-settings.js';
import { PkiError } from './pki-error.js';
import type { ScheduledSigner } from './signing-keys.js';

/** What issues the mesh's certificates, whether its root ever changes or not. */
export interface CertificateIssuer {
  /** The trust anchors that relying parties pin: PEM, the issuing one first. */
  readonly rootPem: string;
  /** The longest life that `issueLeaf` accepts, in seconds. */
  readonly maxLeafTtlSeconds: number;
  issueLeaf(request: LeafRequest): Promise<IssuedLeaf>;
}

export interface RotatingMeshCaOptions extends Omit<MeshCaOptions, 'dir' | 'store' | 'rootSigner'> {
  /** One folder per root below it; `bundle.pem` in it holds all roots. */
  dir: string;
  /** The root keys; a root issues from its `signsFrom` on and is published before. At least one. */
  roots: readonly ScheduledSigner[];
}

interface Authority {
  readonly ca: MeshCa;
  readonly kid: string;
  readonly signsFrom: Date;
}

/**
 * A mesh CA whose root key is elsewhere (a vault) and is replaced from time to time. A new root is published ahead, so that everybody
 * trusts it before the first certificate under it appears; a former one stays published until nothing that it issued lives.
 * Which root issues is a function of the time alone, so that replicas agree.
 */
export class RotatingMeshCa implements CertificateIssuer {
  #authorities: readonly Authority[] = [];
  /** A local root of before; trusted until its certificates are over, issuing no more. */
  #retiredPem = '';

  private constructor(
    private readonly options: RotatingMeshCaOptions,
    private readonly clock: () => Date,
  ) {}

  /** Throws SIGNING_KEY_MISSING without a root, and the codes of {@link MeshCa.open}. */
  static async open(options: RotatingMeshCaOptions): Promise<RotatingMeshCa> {
    await makeKeyDirectory(options.dir);
    const ca = new RotatingMeshCa(options, options.clock ?? (() => new Date()));
    const retired = await (await DirectoryAuthorityStore.open(options.dir)).loadRoot();
    if (retired !== undefined && retired.certificate.notAfter > ca.clock())
      ca.#retiredPem = retired.certificate.pem;
    await ca.#take(options.roots);
    return ca;
  }

  get rootPem(): string {
    const issuing = this.#issuing();
    const others = this.#authorities.filter((authority) => authority !== issuing).reverse();
    return [issuing, ...others].map(({ ca }) => ca.rootPem).join('') + this.#retiredPem;
  }

  get maxLeafTtlSeconds(): number {
    return this.#issuing().ca.maxLeafTtlSeconds;
  }

  /** Thumbprint of the root that issues now. */
  get issuingKid(): string {
    return this.#issuing().kid;
  }

  issueLeaf(request: LeafRequest): Promise<IssuedLeaf> {
    return this.#issuing().ca.issueLeaf(request);
  }

  /**
   * Takes up new roots and forgets what was taken away (a version that was disabled or has aged out), then lets every root that
   * issues do its maintenance. Throws SIGNER_FAILED when the vault is out of reach: what there is goes on issuing.
   */
  async update(roots: readonly ScheduledSigner[]): Promise<void> {
    await this.#take(roots);
    await this.#issuing().ca.maintain(this.clock());
  }

  async #take(roots: readonly ScheduledSigner[]): Promise<void> {
    if (roots.length === 0) throw new PkiError('SIGNING_KEY_MISSING', 'mesh root');
    const authorities: Authority[] = [];
    for (const { signer, signsFrom } of roots) {
      const known = this.#authorities.find(({ kid }) => kid === signer.kid);
      const { roots: _roots, dir, ...settings } = this.options;
      authorities.push({
        ca: known?.ca ?? (await MeshCa.open({ ...settings, dir: join(dir, signer.kid), rootSigner: signer })),
        kid: signer.kid,
        signsFrom,
      });
    }
    this.#authorities = authorities.sort((a, b) => a.signsFrom.getTime() - b.signsFrom.getTime());
    await this.#publish();
  }

  /** The newest root whose time has come; before the first one's time, the first. */
  #issuing(): Authority {
    const now = this.clock();
    const issuing = this.#authorities.findLast(({ signsFrom }) => signsFrom <= now) ?? this.#authorities[0];
    if (issuing === undefined) throw new PkiError('SIGNING_KEY_MISSING', 'mesh root');
    return issuing;
  }

  async #publish(): Promise<void> {
    const path = join(this.options.dir, 'bundle.pem');
    const draft = `${path}.${randomBytes(8).toString('hex')}.new`;
    try {
      await writeFile(draft, this.rootPem, { mode: 0o644, flush: true });
      await rename(draft, path);
      await syncDirectory(this.options.dir);
    } catch (cause) {
      await unlink(draft).catch(() => undefined);
      throw new PkiError('KEY_FILE_IO', path, { cause });
    }
  }
}
