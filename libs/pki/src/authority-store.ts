import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAuthorityCertificate } from './certificate-authority.js';
import type { AuthorityCertificate } from './certificate-authority.js';
import { fromPem } from './certificate-pem.js';
import {
  createKeyFile,
  errno,
  listKeyDirectory,
  makeKeyDirectory,
  readKeyFile,
  syncDirectory,
} from './key-file.js';
import { isPkiError, PkiError } from './pki-error.js';
import { LocalSigner } from './signer.js';

/** A certificate with its private key; for a root whose key is in a vault, without. */
export interface StoredAuthority {
  certificate: AuthorityCertificate;
  signer?: LocalSigner;
}

/** Where the mesh CA keeps what must survive a restart. */
export interface AuthorityStore {
  loadRoot(): Promise<StoredAuthority | undefined>;
  /** Stores the first root; when another process was faster, stores nothing. Load again to see which one won. */
  saveRoot(root: StoredAuthority): Promise<void>;
  loadIntermediates(): Promise<StoredAuthority[]>;
  saveIntermediate(intermediate: StoredAuthority): Promise<void>;
  removeIntermediate(certificate: AuthorityCertificate): Promise<void>;
}

/**
 * A directory with mode 0700: `root.pem` and `intermediate-<key identifier>.pem`, each mode 0600 and holding the
 * certificate and its PKCS#8 key in one file, so that the two can never come apart.
 */
export class DirectoryAuthorityStore implements AuthorityStore {
  private constructor(private readonly dir: string) {}

  static async open(dir: string): Promise<DirectoryAuthorityStore> {
    await makeKeyDirectory(dir);
    return new DirectoryAuthorityStore(dir);
  }

  async loadRoot(): Promise<StoredAuthority | undefined> {
    try {
      return await this.#load('root.pem');
    } catch (error) {
      if (isPkiError(error, 'KEY_FILE_NOT_FOUND')) return undefined;
      throw error;
    }
  }

  async saveRoot(root: StoredAuthority): Promise<void> {
    try {
      await this.#save('root.pem', root);
    } catch (error) {
      if (!isPkiError(error, 'KEY_FILE_EXISTS')) throw error;
    }
  }

  async loadIntermediates(): Promise<StoredAuthority[]> {
    const names = (await listKeyDirectory(this.dir)).filter((name) => INTERMEDIATE.test(name));
    const loaded: StoredAuthority[] = [];
    for (const name of names) {
      try {
        loaded.push(await this.#load(name));
      } catch (error) {
        // Another process may have removed an expired one in between.
        if (!isPkiError(error, 'KEY_FILE_NOT_FOUND')) throw error;
      }
    }
    return loaded;
  }

  async saveIntermediate(intermediate: StoredAuthority): Promise<void> {
    await this.#save(fileOf(intermediate.certificate), intermediate);
  }

  async removeIntermediate(certificate: AuthorityCertificate): Promise<void> {
    try {
      await unlink(join(this.dir, fileOf(certificate)));
      await syncDirectory(this.dir);
    } catch (cause) {
      if (errno(cause) === 'ENOENT') return;
      throw new PkiError('KEY_FILE_IO', this.dir, { cause });
    }
  }

  async #save(name: string, { certificate, signer }: StoredAuthority): Promise<void> {
    await createKeyFile(join(this.dir, name), certificate.pem + (signer?.toPem() ?? ''));
  }

  async #load(name: string): Promise<StoredAuthority> {
    const path = join(this.dir, name);
    const text = await readKeyFile(path);
    const [der, ...others] = fromPem('CERTIFICATE', text) ?? [];
    if (der === undefined || others.length > 0)
      throw new PkiError('CA_STATE_INVALID', `${path} holds not one certificate`);
    const certificate = parseAuthorityCertificate(der, path);
    const keyAt = text.indexOf('-----BEGIN PRIVATE KEY-----');
    if (keyAt < 0) return { certificate };
    const signer = LocalSigner.fromPem(text.slice(keyAt), path);
    if (signer.kid !== certificate.key.thumbprint)
      throw new PkiError('CA_STATE_INVALID', `${path}: key and certificate differ`);
    return { certificate, signer };
  }
}

const INTERMEDIATE = /^intermediate-[0-9a-f]{40}\.pem$/;

function fileOf(certificate: AuthorityCertificate): string {
  return `intermediate-${certificate.keyIdentifier.toString('hex')}.pem`;
}

/** Keeps the authority in memory only: for tests and for processes that end with what they issued. */
export class MemoryAuthorityStore implements AuthorityStore {
  #root: StoredAuthority | undefined;
  #intermediates: StoredAuthority[] = [];

  loadRoot(): Promise<StoredAuthority | undefined> {
    return Promise.resolve(this.#root);
  }

  saveRoot(root: StoredAuthority): Promise<void> {
    this.#root ??= root;
    return Promise.resolve();
  }

  loadIntermediates(): Promise<StoredAuthority[]> {
    return Promise.resolve([...this.#intermediates]);
  }

  saveIntermediate(intermediate: StoredAuthority): Promise<void> {
    this.#intermediates.push(intermediate);
    return Promise.resolve();
  }

  removeIntermediate(certificate: AuthorityCertificate): Promise<void> {
    this.#intermediates = this.#intermediates.filter((kept) => kept.certificate !== certificate);
    return Promise.resolve();
  }
}
