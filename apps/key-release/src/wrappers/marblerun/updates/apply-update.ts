import { randomBytes } from 'node:crypto';
import type { Manifest } from '../interface.js';
import { setUpRecovery } from '../recovery/recovery-shares.js';
import { signWithRoot, withNewIntermediate } from '../state/authority.js';
import type { Change, Coordinator } from '../state/coordinator.js';
import type { CoordinatorData, PendingUpdate, SetManifest } from '../state/coordinator-data.js';
import { logLine } from '../state/update-log.js';
import type { User } from '../users-roles/users.js';
import { carryOver } from './cycle-of-secrets.js';
import { manifestEvent } from './manifest-events.js';
import type { RecoverySecrets } from './set-manifest.js';

/**
 * Brings a manifest into force in place of another: new certificates below the root, secrets carried over or made anew, those of before
 * kept for one cycle, a new root secret where the manifest asks for it, new recovery secrets where the recovery keys have changed.
 * Activations stay counted. Source: reference §1.4.
 */
export async function applyUpdate(
  { settings, ports }: Coordinator,
  data: CoordinatorData,
  { raw, parsed, fingerprint }: PendingUpdate,
  user: User,
): Promise<Change<RecoverySecrets | undefined>> {
  const before = data.manifest as SetManifest;
  const now = ports.clock();
  const authority = await withNewIntermediate(data.authority.root, settings.keys, settings.names, now);
  const { rotateRootSecret } = parsed.config;
  const recovery = sameRecovery(before.parsed, parsed) ? undefined : setUpRecovery(parsed);
  const { secrets: definitions } = before.parsed;
  return {
    data: {
      ...data,
      authority,
      rootSecret: rotateRootSecret ? randomBytes(32) : data.rootSecret,
      manifest: { raw, parsed, fingerprint, signature: signWithRoot(authority, raw) },
      securityVersions: new Map(),
      stored: await carryOver(
        parsed,
        { definitions, stored: data.stored },
        ports.works,
        authority.marbleRoot,
      ),
      previous: { rootSecret: data.rootSecret, definitions, stored: data.stored, manifest: before.raw },
      pending: undefined,
      log: [...data.log, logLine(now, 'Complete Manifest updated', { manifestFingerprint: fingerprint })],
    },
    value: recovery?.secrets,
    events: [
      manifestEvent(settings, {
        step: 'updated',
        actor: `user:${user.name}`,
        fingerprint,
        previous: before.fingerprint,
        rootSecretRotated: rotateRootSecret,
        ...(recovery ? { recoveryKeys: [...recovery.secrets.keys()] } : {}),
      }),
    ],
    recovery,
  };
}

function sameRecovery(a: Manifest, b: Manifest): boolean {
  return (
    // Shares of a state that was never sealed open nothing.
    a.config.sealMode !== 'Disabled' &&
    a.config.recoveryThreshold === b.config.recoveryThreshold &&
    a.recoveryKeys.size === b.recoveryKeys.size &&
    [...a.recoveryKeys].every(([name, pem]) => b.recoveryKeys.get(name) === pem)
  );
}
