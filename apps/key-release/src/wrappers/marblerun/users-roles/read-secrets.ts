import { CoordinatorError } from '../coordinator-error.js';
import type { SecretDefinition, SecretMaterial } from '../interface.js';
import type { Coordinator } from '../state/coordinator.js';
import type { User } from './users.js';

export interface ReadSecret {
  readonly name: string;
  readonly definition: SecretDefinition;
  /** Undefined: not set yet. */
  readonly material: SecretMaterial | undefined;
}

/** Names that one request may ask for; the event lists them. */
export const MAX_SECRETS = 256;

/** Secrets for a user who may read every one of them; logged before they leave. @throws CoordinatorError FORBIDDEN, SiegelError */
export async function readSecrets(
  coordinator: Coordinator,
  names: readonly string[],
  user: User,
): Promise<ReadSecret[]> {
  const { current, manifest } = coordinator.snapshot();
  if (names.length > MAX_SECRETS)
    throw new CoordinatorError('REQUEST_INVALID', `invalid query: more than ${MAX_SECRETS} secrets`);
  const read = [...new Set(names)].sort().map((name) => {
    const definition = manifest.secrets.get(name);
    if (!definition || !user.may('ReadSecret', name))
      throw new CoordinatorError(
        'FORBIDDEN',
        `user ${user.name} is not allowed to read one or more secrets of: [${names.join(' ')}]`,
      );
    return { name, definition, material: current.stored.get(name) };
  });
  const { tenant, name: deployment } = coordinator.settings;
  await coordinator.log([
    {
      tenant,
      type: 'coordinator.secrets',
      outcome: 'granted',
      data: {
        deployment,
        actor: `user:${user.name}`.slice(0, 160),
        operation: 'read',
        secrets: read.map(({ name }) => name.slice(0, 128)),
      },
    },
  ]);
  return read;
}
