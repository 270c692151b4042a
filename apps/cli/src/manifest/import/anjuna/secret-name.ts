/** What a secret of Anjuna's Policy Manager is in a manifest of ours. */
export interface NamedSecret {
  readonly grant: Readonly<Record<string, string>>;
  readonly note: string;
}

/** Where Anjuna's tools keep secrets unless they are told otherwise. */
export const DEFAULT_ENGINE = 'anjuna';

/** The two ways in: a key that the enclave makes for us, and the provisioning key of Anjuna's runtime. */
export const ANJUNA_BINDING = { convention: ['sha256-spki', 'sha512-rsa-der'] } as const;

const VAULT = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** @returns a sentence that says what is wrong where the manifest has no such name */
export function secretNamed(name: string, engine: string): NamedSecret | string {
  const vault = engine.replace(/\/+$/, '');
  if (!VAULT.test(vault))
    return `the engine path ${JSON.stringify(engine.slice(0, 64))} cannot be the name of a vault`;
  if (!/^(?!\.{1,2}$)[A-Za-z0-9_.-]{1,127}$/.test(name))
    return `${JSON.stringify(name.slice(0, 64))} cannot be the name of a vault object`;
  const objectName = name.replace(/[_.]/g, '-');
  const grant = {
    vault,
    objectName,
    objectType: 'secret',
    objectAlias: name,
    as: 'file',
    path: `/run/secrets/${name}`,
  };
  const renamed =
    objectName === name ? '' : `; the vault must call it "${objectName}", as names there have no "_" or "."`;
  return { grant, note: `the secret "${name}" of vault "${vault}"${renamed}` };
}
