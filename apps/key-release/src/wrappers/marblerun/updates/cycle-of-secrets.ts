import type { CertifiedKey, Manifest, SecretDefinition, SecretMaterial, SecretWorks } from '../interface.js';

type Stored = ReadonlyMap<string, SecretMaterial>;
type Definitions = ReadonlyMap<string, SecretDefinition>;

/** Values of all shared secrets of a manifest that is set for the first time. */
export function generateShared(
  { secrets }: Manifest,
  works: SecretWorks,
  issuer: CertifiedKey,
): Promise<Map<string, SecretMaterial>> {
  return collect(secrets, (name, definition) =>
    definition.shared && !definition.userDefined ? works.generate(name, definition, issuer) : undefined,
  );
}

/**
 * Values after an update: what users have set stays as long as its definition does, shared symmetric keys too unless the root secret is
 * rotated; shared certificates are made anew, as their issuer is. Source: reference §1.4.
 */
export function carryOver(
  { secrets, config }: Manifest,
  before: { readonly definitions: Definitions; readonly stored: Stored },
  works: SecretWorks,
  issuer: CertifiedKey,
): Promise<Map<string, SecretMaterial>> {
  return collect(secrets, (name, definition) => {
    const old = before.definitions.get(name);
    const value = old && sameDefinition(old, definition) ? before.stored.get(name) : undefined;
    if (definition.userDefined) return value;
    if (!definition.shared) return undefined;
    const keeps = definition.type === 'symmetric-key' && !config.rotateRootSecret;
    return (keeps ? value : undefined) ?? works.generate(name, definition, issuer);
  });
}

/** Values after a package update: the issuer is new, so shared certificates are; all else stays. */
export function renewCertificates(
  { secrets }: Manifest,
  stored: Stored,
  works: SecretWorks,
  issuer: CertifiedKey,
): Promise<Map<string, SecretMaterial>> {
  return collect(secrets, (name, definition) => {
    const renew = definition.shared && !definition.userDefined && definition.type.startsWith('cert-');
    return renew ? works.generate(name, definition, issuer) : stored.get(name);
  });
}

async function collect(
  secrets: Definitions,
  valueOf: (
    name: string,
    definition: SecretDefinition,
  ) => SecretMaterial | Promise<SecretMaterial> | undefined,
): Promise<Map<string, SecretMaterial>> {
  const values = new Map<string, SecretMaterial>();
  for (const [name, definition] of secrets) {
    const value = await valueOf(name, definition);
    if (value) values.set(name, value);
  }
  return values;
}

const sameDefinition = (a: SecretDefinition, b: SecretDefinition): boolean => comparable(a) === comparable(b);
const comparable = (definition: SecretDefinition): string =>
  JSON.stringify(definition, (_key, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  );
