import { marblerun } from '#policy';
import { CoordinatorError } from '../coordinator-error.js';
import type { Manifest, RoleAction } from '../interface.js';

const NO_USER = 'unauthorized user: client certificate did not match any MarbleRun users';

/** A user of the manifest in force, known by the exact bytes of the certificate that the TLS handshake has proven. */
export interface User {
  readonly name: string;
  may(action: RoleAction, resource?: string): boolean;
}

const indexed = new WeakMap<Manifest, ReadonlyMap<string, User>>();

/** @param certificate DER; undefined where the client presented none. @throws CoordinatorError UNAUTHORIZED */
export function requireUser(manifest: Manifest | undefined, certificate: Buffer | undefined): User {
  const user = manifest && certificate && usersOf(manifest).get(certificate.toString('base64'));
  if (!user) throw new CoordinatorError('UNAUTHORIZED', NO_USER);
  return user;
}

/** The name that belongs to a certificate, if any, for events. */
export const userNameOf = (manifest: Manifest, certificate: Buffer): string | undefined =>
  usersOf(manifest).get(certificate.toString('base64'))?.name;

/** Users who may take part in updates of the whole manifest, in its order. */
export const updatersOf = (manifest: Manifest): string[] =>
  [...usersOf(manifest).values()].filter((user) => user.may('UpdateManifest')).map(({ name }) => name);

function usersOf(manifest: Manifest): ReadonlyMap<string, User> {
  const known = indexed.get(manifest);
  if (known) return known;
  const users = new Map<string, User>();
  for (const [name, { certificate, roles }] of manifest.users) {
    const der = marblerun.userCertificate(certificate);
    if (der === undefined) continue;
    const granted = roles.flatMap((role) => manifest.roles.get(role) ?? []);
    users.set(der.toString('base64'), {
      name,
      may: (action, resource) =>
        granted.some(
          ({ actions, resourceNames }) =>
            actions.includes(action) && (resource === undefined || resourceNames.includes(resource)),
        ),
    });
  }
  indexed.set(manifest, users);
  return users;
}
