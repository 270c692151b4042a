import type { marblerun } from '#policy';
import { CoordinatorError } from '../coordinator-error.js';
import type { Manifest } from '../interface.js';
import { setUpRecovery } from '../recovery/recovery-shares.js';
import type { Change, Coordinator } from '../state/coordinator.js';
import { type CoordinatorData, fingerprintOf, type PendingUpdate } from '../state/coordinator-data.js';
import { logLine } from '../state/update-log.js';
import { updatersOf, type User } from '../users-roles/users.js';
import { applyUpdate } from './apply-update.js';
import { manifestEvent } from './manifest-events.js';
import { requireSound } from './manifest-intake.js';
import type { RecoverySecrets } from './set-manifest.js';

/** Where an update stands after a step. */
export interface UpdateStanding {
  /** 0: it is in force. */
  readonly missing: number;
  /** Who has not agreed yet; more than `missing` where not all are needed. */
  readonly missingUsers: readonly string[];
  /** New ones, if the recovery keys have changed. */
  readonly recoverySecrets: RecoverySecrets | undefined;
}

const WORDS = {
  initiated: 'Complete Manifest update initiated by user. Waiting for acknowledgments to apply the update',
  acknowledged: 'Complete Manifest update acknowledged by user',
} as const;

/** @throws CoordinatorError UPDATE_REFUSED */
export function requireNonePending({ pending }: CoordinatorData): void {
  if (pending)
    throw new CoordinatorError(
      'UPDATE_REFUSED',
      'update already in progress. Acknowledge the update to apply it, or cancel it to start a new one',
    );
}

/** The update that waits for agreement. @throws CoordinatorError NO_UPDATE */
export function pendingUpdate(
  coordinator: Coordinator,
): PendingUpdate & Pick<UpdateStanding, 'missing' | 'missingUsers'> {
  const data = coordinator.current;
  if (!data?.pending || !data.manifest) throw noUpdate();
  return { ...data.pending, ...standing(data.manifest.parsed, data.pending) };
}

/** Proposes a new manifest; with a threshold of one it is in force at once. @throws CoordinatorError */
export async function initiateUpdate(
  coordinator: Coordinator,
  raw: Buffer,
  upload: marblerun.ReadManifest,
  user: User,
): Promise<UpdateStanding> {
  const { settings, ports } = coordinator;
  const initiated = coordinator.change((data) => {
    void coordinator.requireManifest();
    requireNonePending(data);
    if (!user.may('UpdateManifest'))
      throw new CoordinatorError(
        'FORBIDDEN',
        `user ${user.name} is not allowed to update the complete manifest`,
      );
    const parsed = requireSound(upload, 'update', settings, ports.works);
    // A recovery key that is none is told to the initiator, not to whoever agrees last.
    setUpRecovery(parsed);
    const pending: PendingUpdate = {
      raw: Buffer.from(raw),
      parsed,
      fingerprint: fingerprintOf(raw),
      acknowledged: [user.name],
    };
    return step(coordinator, data, pending, user, 'initiated');
  });
  // Nothing was pending before, so nothing is after a failure.
  return initiated.catch((error: unknown) => {
    throw error instanceof UpdateFailed ? error.cause : error;
  });
}

/** Agrees to exactly the pending manifest; the last one needed brings it into force. @throws CoordinatorError */
export async function acknowledgeUpdate(
  coordinator: Coordinator,
  raw: Buffer,
  user: User,
): Promise<UpdateStanding> {
  try {
    return await coordinator.change((data) => {
      if (!data.pending) throw noUpdate();
      if (!user.may('UpdateManifest'))
        throw new CoordinatorError(
          'FORBIDDEN',
          `user ${user.name} is not allowed to acknowledge manifest updates`,
        );
      if (!data.pending.raw.equals(raw))
        throw new CoordinatorError('UPDATE_REFUSED', 'provided manifest does not match the pending manifest');
      const pending: PendingUpdate = {
        ...data.pending,
        acknowledged: [...new Set([...data.pending.acknowledged, user.name])],
      };
      return step(coordinator, data, pending, user, 'acknowledged');
    });
  } catch (error) {
    if (!(error instanceof UpdateFailed)) throw error;
    await dropUpdate(coordinator, error.cause as Error);
    throw error.cause;
  }
}

/** Drops the pending update. @throws CoordinatorError NO_UPDATE, FORBIDDEN */
export function cancelUpdate(coordinator: Coordinator, user: User): Promise<void> {
  const { settings, ports } = coordinator;
  return coordinator.change((data) => {
    if (!data.pending) throw noUpdate();
    if (!user.may('UpdateManifest'))
      throw new CoordinatorError(
        'FORBIDDEN',
        `user ${user.name} is not allowed to cancel the manifest update`,
      );
    const { fingerprint } = data.pending;
    const line = logLine(ports.clock(), 'Complete Manifest update cancelled by user', {
      user: user.name,
      manifestFingerprint: fingerprint,
    });
    return {
      data: { ...data, pending: undefined, log: [...data.log, line] },
      value: undefined,
      events: [manifestEvent(settings, { step: 'cancelled', actor: `user:${user.name}`, fingerprint })],
    };
  });
}

/** What had been agreed cannot be brought into force: it waits no longer. */
function dropUpdate(coordinator: Coordinator, { message }: Error): Promise<void> {
  const { settings, ports } = coordinator;
  return coordinator.change((data) => {
    const fingerprint = data.pending?.fingerprint;
    if (fingerprint === undefined) return { data, value: undefined, events: [] };
    const line = logLine(ports.clock(), 'Complete Manifest update cancelled due to error during apply', {
      manifestFingerprint: fingerprint,
    });
    const event = manifestEvent(settings, { step: 'failed', actor: 'coordinator', fingerprint });
    return {
      data: { ...data, pending: undefined, log: [...data.log, line] },
      value: undefined,
      events: [{ ...event, reason: { code: 'UPDATE_FAILED', message: message.slice(0, 1_000) } }],
    };
  });
}

/** The change that one more agreement makes. @throws UpdateFailed */
async function step(
  coordinator: Coordinator,
  data: CoordinatorData,
  pending: PendingUpdate,
  user: User,
  what: 'initiated' | 'acknowledged',
): Promise<Change<UpdateStanding>> {
  const { settings, ports } = coordinator;
  const { manifest } = coordinator.requireManifest();
  const { missing, missingUsers } = standing(manifest.parsed, pending);
  const line = logLine(ports.clock(), WORDS[what], {
    user: user.name,
    missingAcknowledgments: missing,
    missingUsers,
    manifestFingerprint: pending.fingerprint,
  });
  const event = manifestEvent(settings, {
    step: what,
    actor: `user:${user.name}`,
    fingerprint: pending.fingerprint,
    previous: manifest.fingerprint,
    missing,
  });
  const stepped = { ...data, pending, log: [...data.log, line] };
  if (missing > 0)
    return { data: stepped, value: { missing, missingUsers, recoverySecrets: undefined }, events: [event] };
  try {
    const applied = await applyUpdate(coordinator, stepped, pending, user);
    return {
      ...applied,
      value: { missing: 0, missingUsers: [], recoverySecrets: applied.value },
      events: [event, ...applied.events],
    };
  } catch (cause) {
    throw new UpdateFailed('the update cannot be brought into force', { cause });
  }
}

class UpdateFailed extends Error {
  override readonly name = 'UpdateFailed';
}

const noUpdate = (): CoordinatorError => new CoordinatorError('NO_UPDATE', 'no update in progress');

function standing(inForce: Manifest, { acknowledged }: PendingUpdate) {
  const updaters = updatersOf(inForce);
  const needed = inForce.config.updateThreshold || updaters.length;
  return {
    missing: Math.max(0, needed - acknowledged.length),
    missingUsers: updaters.filter((name) => !acknowledged.includes(name)),
  };
}
