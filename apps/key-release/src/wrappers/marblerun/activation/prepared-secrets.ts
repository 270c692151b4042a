import { type GrantRecord, SiegelError } from '#contracts';
import { GRPC_STATUS } from '#platform';
import type { z } from 'zod';
import { CoordinatorError } from '../coordinator-error.js';
import type {
  DeploymentSettings,
  DeploymentSnapshot,
  Marble,
  MarbleTemplates,
  SecretCycle,
  SecretDefinition,
  SecretMaterial,
} from '../interface.js';
import type { MarbleSecrets } from '../generation/secret-works.js';
import { activationFailed, ActivationRefusal } from './refusal.js';

type Grant = z.infer<typeof GrantRecord>;

/** One activation's secrets: those that its templates may touch, and no other. */
export interface PreparedSecrets {
  readonly current: ReadonlyMap<string, SecretMaterial>;
  readonly previous: ReadonlyMap<string, SecretMaterial>;
  readonly grants: readonly Grant[];
}

export interface MarbleName {
  /** Canonical. */
  readonly uuid: string;
  readonly type: string;
}

/** What one event can name. */
const MAX_GRANTS = 256;
const FAILED = 'generating secrets for marble';

/** @throws ActivationRefusal, SiegelError for an outage of a vault */
export async function prepareSecrets(
  works: Pick<MarbleSecrets, 'generator' | 'read'>,
  { vaults }: Pick<DeploymentSettings, 'vaults'>,
  snapshot: DeploymentSnapshot,
  marble: Marble,
  name: MarbleName,
  { references, inFiles }: MarbleTemplates,
): Promise<PreparedSecrets> {
  const grants: Grant[] = [];
  const cycle = async (from: SecretCycle | undefined, wanted: ReadonlySet<string>, prefix: string) => {
    const materials = new Map<string, SecretMaterial>();
    if (!from) return materials;
    const names = references.all ? from.definitions.keys() : wanted;
    await Promise.all(
      [...names].map(async (secret) => {
        const definition = from.definitions.get(secret);
        if (definition?.source) requireOpen(vaults, secret, definition.source.vault);
        const found = definition && (await valueOf(works, from, snapshot, marble, name, secret, definition));
        if (!found) return;
        materials.set(secret, found.material);
        const { source, type } = definition;
        grants.push({
          alias: `${prefix}${secret}`.slice(0, 255),
          as: references.all || inFiles.has(`${prefix}${secret}`) ? 'file' : 'env',
          vault: source?.vault ?? 'marblerun',
          objectName: (source?.objectName ?? secret).slice(0, 127),
          objectType: type === 'plain' ? 'secret' : type === 'symmetric-key' ? 'key' : 'cert',
          version: found.version ?? String(snapshot.revision),
          ...(found.requestId === undefined ? {} : { requestId: found.requestId }),
        });
      }),
    );
    return materials;
  };
  const [current, previous] = await Promise.all([
    cycle(snapshot.current, references.secrets, ''),
    cycle(snapshot.previous, references.previous, 'Previous.'),
  ]);
  if (grants.length > MAX_GRANTS)
    throw activationFailed('TOO_MANY_SECRETS', `${FAILED}: more than ${MAX_GRANTS} secrets`);
  return { current, previous, grants: grants.sort((a, b) => (a.alias < b.alias ? -1 : 1)) };
}

/** A manifest may be older than the list. @throws ActivationRefusal */
function requireOpen(vaults: readonly string[], name: string, vault: string): void {
  if (vaults.includes(vault)) return;
  const message = `${FAILED}: secret ${name}: the vault ${JSON.stringify(vault)} is not open to this deployment`;
  throw activationFailed('VAULT_NOT_OPEN', message);
}

interface Value {
  readonly material: SecretMaterial;
  readonly version?: string | undefined;
  readonly requestId?: string | undefined;
}

/** Undefined: a user-defined secret that has not been set, which a template says in its own words. */
async function valueOf(
  works: Pick<MarbleSecrets, 'generator' | 'read'>,
  cycle: SecretCycle,
  { authority }: DeploymentSnapshot,
  { disableSecretBinding }: Marble,
  { uuid, type }: MarbleName,
  name: string,
  definition: SecretDefinition,
): Promise<Value | undefined> {
  const stored = cycle.stored.get(name);
  if (stored) return { material: stored };
  if (definition.userDefined) return undefined;
  try {
    if (definition.source) return await works.read(name, definition);
    if (definition.shared)
      throw new CoordinatorError('SECRET_UNUSABLE', `shared secret ${name} is missing from the state`);
    const { rootSecret } = cycle;
    const owner = { rootSecret, uuid, marbleType: type, unbound: disableSecretBinding };
    return { material: await works.generator.private(name, definition, authority.marbleRoot, owner) };
  } catch (error) {
    if (error instanceof CoordinatorError)
      throw activationFailed(error.code, `${FAILED}: ${error.message}`, error);
    if (!(error instanceof SiegelError) || error.entry.http >= 500) throw error;
    // What the vault said is the operator's; the marble learns the name.
    const message = `${FAILED}: secret ${name} cannot be read`;
    const reason = error.reason ?? { code: error.code, message: error.message.slice(0, 1_000) };
    throw new ActivationRefusal({ status: GRPC_STATUS.internal, message }, reason, [], { cause: error });
  }
}
