import { CoordinatorError } from '../coordinator-error.js';
import type { Manifest } from '../interface.js';
import { withNewIntermediate } from '../state/authority.js';
import type { Coordinator } from '../state/coordinator.js';
import { effectiveManifest } from '../state/coordinator-data.js';
import { logLine } from '../state/update-log.js';
import type { User } from '../users-roles/users.js';
import { renewCertificates } from './cycle-of-secrets.js';
import { requireNonePending } from './full-update.js';
import { manifestEvent } from './manifest-events.js';

/** Whether a manifest says something of packages alone: then it is no manifest but raises their versions. */
export const isPackageUpdate = (manifest: Manifest): boolean =>
  manifest.infrastructures.size === 0 &&
  manifest.marbles.size === 0 &&
  manifest.users.size === 0 &&
  manifest.recoveryKeys.size === 0 &&
  manifest.roles.size === 0 &&
  manifest.secrets.size === 0 &&
  manifest.tls.size === 0;

/**
 * Raises minimum versions of packages. The certificates below the root are renewed, so that marbles of before are not believed; bytes,
 * fingerprint and signature of the manifest stay, only the log tells. Source: reference §1.4.
 * @throws CoordinatorError FORBIDDEN, UPDATE_REFUSED, MANIFEST_INVALID
 */
export function updatePackages(coordinator: Coordinator, update: Manifest, user: User): Promise<void> {
  const { settings, ports } = coordinator;
  return coordinator.change(async (data) => {
    const before = coordinator.requireManifest();
    requireNonePending(data);
    const names = [...update.packages.keys()];
    if (!names.every((name) => user.may('UpdateSecurityVersion', name)))
      throw new CoordinatorError(
        'FORBIDDEN',
        `user ${user.name} is not allowed to update one or more packages of [${names.join(' ')}]`,
      );
    const raised = requireRaise(update, effectiveManifest(before.manifest, data.securityVersions));
    const now = ports.clock();
    const authority = await withNewIntermediate(data.authority.root, settings.keys, settings.names, now);
    const packages = raised.map(([name, securityVersion]) => ({ name, securityVersion }));
    return {
      data: {
        ...data,
        authority,
        securityVersions: new Map([...data.securityVersions, ...raised]),
        stored: await renewCertificates(
          before.manifest.parsed,
          data.stored,
          ports.works,
          authority.marbleRoot,
        ),
        log: [
          ...data.log,
          ...raised.map(([name, version]) =>
            logLine(now, 'SecurityVersion increased', {
              user: user.name,
              package: name,
              'new version': version,
            }),
          ),
        ],
      },
      value: undefined,
      events: [
        manifestEvent(settings, {
          step: 'package-update',
          actor: `user:${user.name}`,
          fingerprint: before.manifest.fingerprint,
          packages,
        }),
      ],
    };
  });
}

/** The versions that an update names. @throws CoordinatorError MANIFEST_INVALID */
function requireRaise(update: Manifest, inForce: Manifest): (readonly [string, number])[] {
  if (update.packages.size === 0) throw refused('no packages defined');
  return [...update.packages].map(([name, given]) => {
    const before = inForce.packages.get(name);
    if (!before)
      throw refused('update manifest specifies a package which the original manifest does not contain');
    const { debug, uniqueId, signerId, productId, securityVersion } = given;
    const other =
      debug ||
      uniqueId !== undefined ||
      signerId !== undefined ||
      productId !== undefined ||
      given.acceptedTcbStatuses.length > 0 ||
      given.acceptedAdvisories.length > 0;
    if (other) throw refused('update manifest contains unupdatable values');
    if (securityVersion === undefined)
      throw refused('update manifest does not specify a SecurityVersion to update');
    if (before.securityVersion !== undefined && securityVersion < before.securityVersion)
      throw refused('update manifest tries to downgrade SecurityVersion of the original manifest');
    return [name, securityVersion] as const;
  });
}

const refused = (why: string): CoordinatorError =>
  new CoordinatorError('MANIFEST_INVALID', `checking update manifest: ${why}`);
