import { type ReleasePayload, SiegelError } from '#contracts';
import type { Grants, SecretGrant } from '#policy';
import type { Carrier } from '../../../pipeline/interface.js';

const denied = (code: string, message: string): SiegelError =>
  new SiegelError('RELEASE_DENIED', { reason: { code, message } });

/** Carries nothing: the decision itself is asked for, by the manifest in force and the session's standing. */
export class NothingCarried implements Carrier {
  select({ argv: _argv, certificate: _certificate, ...grants }: Grants): Grants {
    return { ...grants, secrets: [], env: {} };
  }

  accept(): void {
    // There is nothing in the payload.
  }
}

/** Refuses whatever is granted, in the place where refusals are logged. */
export class Refusal extends NothingCarried {
  constructor(
    private readonly code: string,
    private readonly message: string,
  ) {
    super();
  }

  override select(): Grants {
    throw denied(this.code, this.message);
  }
}

/** Carries the one granted secret that a path names. */
export class GrantedSecret implements Carrier {
  private value: string | undefined;

  constructor(
    private readonly vault: string,
    private readonly name: string,
  ) {}

  /** @throws SiegelError RELEASE_DENIED */
  select({ argv: _argv, certificate: _certificate, ...grants }: Grants): Grants {
    return { ...grants, secrets: [asBytes(this.find(grants.secrets))], env: {} };
  }

  /** @throws SiegelError SECRET_UNUSABLE for bytes that no JSON text holds */
  accept({ files }: ReleasePayload): void {
    const bytes = Buffer.from(files[0]?.content ?? '', 'base64');
    try {
      this.value = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw new SiegelError('SECRET_UNUSABLE', {
        reason: {
          code: 'SECRET_NOT_TEXT',
          message: `${this.vault}/${this.name} is not text, and JSON holds nothing else`,
        },
      });
    } finally {
      bytes.fill(0);
    }
  }

  /** The secret's text; there once the pipeline has granted. */
  get text(): string {
    if (this.value === undefined) throw new SiegelError('INTERNAL');
    return this.value;
  }

  private find(secrets: readonly SecretGrant[]): SecretGrant {
    const inVault = secrets.filter(({ vault }) => vault === this.vault);
    const named = inVault.filter(({ objectName }) => objectName === this.name);
    // The owner's own name for it, where the object has none such.
    const found = named.length > 0 ? named : inVault.filter(({ objectAlias }) => objectAlias === this.name);
    const [first] = found;
    const path = `${this.vault}/${this.name}`;
    if (!first) throw denied('SECRET_NOT_GRANTED', `the workload has no secret ${path}`);
    if (found.some((other) => !sameObject(other, first)))
      throw denied(
        'SECRET_AMBIGUOUS',
        `${path} names several objects or versions; give them aliases of their own`,
      );
    return first;
  }
}

const sameObject = (a: SecretGrant, b: SecretGrant): boolean =>
  a.objectName === b.objectName && a.objectType === b.objectType && a.objectVersion === b.objectVersion;

/** However the manifest would deliver it: here its bytes are wanted. */
const asBytes = (grant: SecretGrant): SecretGrant => ({ ...grant, as: 'file', path: '/value', mode: '0400' });
