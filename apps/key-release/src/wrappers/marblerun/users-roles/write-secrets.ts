import { createPrivateKey, X509Certificate } from 'node:crypto';
import { CoordinatorError } from '../coordinator-error.js';
import type { SecretDefinition, SecretMaterial } from '../interface.js';
import type { Coordinator } from '../state/coordinator.js';
import { logLine } from '../state/update-log.js';
import { MAX_SECRETS } from './read-secrets.js';
import type { User } from './users.js';

/** A value as a user uploads it: a key, or a certificate with its private key. */
export interface UploadedSecret {
  readonly key: Buffer | undefined;
  /** DER. */
  readonly certificate: Buffer | undefined;
  /** PKCS#8 DER; upstream allows it to be left out. */
  readonly privateKey: Buffer | undefined;
}

/** Sets user-defined secrets, all or none. @throws CoordinatorError MANIFEST_INVALID, FORBIDDEN, SiegelError */
export function writeSecrets(
  coordinator: Coordinator,
  uploads: ReadonlyMap<string, UploadedSecret>,
  user: User,
): Promise<void> {
  const { settings, ports } = coordinator;
  return coordinator.change((data) => {
    const { manifest } = coordinator.requireManifest();
    const strict = settings.manifestChecks === 'strict';
    const parsed = parse(uploads, manifest.parsed.secrets, strict);
    for (const { name } of parsed) {
      if (!user.may('WriteSecret', name))
        throw new CoordinatorError('FORBIDDEN', `user ${user.name} is not allowed to update secret: ${name}`);
    }
    const now = ports.clock();
    return {
      data: {
        ...data,
        stored: new Map([...data.stored, ...parsed.map(({ name, material }) => [name, material] as const)]),
        log: [
          ...data.log,
          ...parsed.map(({ name, type }) =>
            logLine(now, 'Secret set', { user: user.name, secret: name, type }),
          ),
        ],
      },
      value: undefined,
      events: [
        {
          tenant: settings.tenant,
          type: 'coordinator.secrets',
          outcome: 'ok',
          data: {
            deployment: settings.name,
            actor: `user:${user.name}`.slice(0, 160),
            operation: 'written',
            secrets: parsed.map(({ name }) => name.slice(0, 128)),
          },
        },
      ],
    };
  });
}

interface Parsed {
  readonly name: string;
  readonly type: string;
  readonly material: SecretMaterial;
}

/** Source: reference §1.3 and the recorded exchanges. @throws CoordinatorError MANIFEST_INVALID */
function parse(
  uploads: ReadonlyMap<string, UploadedSecret>,
  definitions: ReadonlyMap<string, SecretDefinition>,
  strict: boolean,
): Parsed[] {
  if (uploads.size === 0) throw refused('no new secrets defined');
  if (uploads.size > MAX_SECRETS) throw refused(`more than ${MAX_SECRETS} secrets`);
  return [...uploads].map(([name, upload]) => {
    const definition = definitions.get(name);
    if (!definition)
      throw refused('secret manifest specifies a secret which the original manifest does not contain');
    if (!definition.userDefined) throw refused(`secret ${name} is not writeable`);
    const { type } = definition;
    const material = type.startsWith('cert-')
      ? certificate(name, definition, upload, strict)
      : bytes(name, definition, upload);
    return { name, type, material };
  });
}

function bytes(name: string, { type, size }: SecretDefinition, upload: UploadedSecret): SecretMaterial {
  const key = upload.key ?? Buffer.alloc(0);
  if (type === 'symmetric-key' && key.length !== size / 8)
    throw refused(`declared size and actual size don't match: ${name}`);
  if (upload.certificate !== undefined || upload.privateKey !== undefined)
    throw refused(`secret ${name} is set to be of type symmetric-key but specified values for a certificate`);
  return { private: key, public: key, certificate: Buffer.alloc(0) };
}

function certificate(
  name: string,
  { type }: SecretDefinition,
  upload: UploadedSecret,
  strict: boolean,
): SecretMaterial {
  if (upload.key !== undefined)
    throw refused(`secret ${name} is set to be of type ${type} but specified values for a symmetric-key`);
  let parsed: X509Certificate;
  try {
    parsed = new X509Certificate(upload.certificate ?? Buffer.alloc(0));
  } catch {
    throw refused(`secret ${name}: x509: malformed certificate`);
  }
  const { publicKey } = parsed;
  if (strict && KEY_TYPES[type] !== publicKey.asymmetricKeyType)
    throw refused(`secret ${name} is set to be of type ${type}, its certificate is not`);
  const privateKey = upload.privateKey ?? Buffer.alloc(0);
  if (strict && privateKey.length > 0 && !belongs(parsed, privateKey))
    throw refused(`secret ${name}: the private key is not that of the certificate`);
  return {
    private: privateKey,
    public: publicKey.export({ format: 'der', type: 'spki' }),
    certificate: parsed.raw,
  };
}

const KEY_TYPES: Readonly<Record<string, string>> = {
  'cert-rsa': 'rsa',
  'cert-ecdsa': 'ec',
  'cert-ed25519': 'ed25519',
};

function belongs(certificate: X509Certificate, pkcs8: Buffer): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }));
  } catch {
    return false;
  }
}

const refused = (why: string): CoordinatorError =>
  new CoordinatorError('MANIFEST_INVALID', `parsing new secrets: ${why}`);
