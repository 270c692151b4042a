import { CoordinatorError } from '../coordinator-error.js';
import { recoveryEvent } from '../recovery/recover.js';
import { setUpRecovery } from '../recovery/recovery-shares.js';
import { signWithRoot } from '../state/authority.js';
import { type Change, type Coordinator, WRONG_STATE } from '../state/coordinator.js';
import { type CoordinatorData, fingerprintOf } from '../state/coordinator-data.js';
import { logLine } from '../state/update-log.js';
import type { Credentials, Operators } from '../users-roles/operators.js';
import { generateShared } from './cycle-of-secrets.js';
import { manifestEvent } from './manifest-events.js';
import { readUpload, requireSound } from './manifest-intake.js';

/** Recovery secrets by the names of their keys, in the manifest's order. */
export type RecoverySecrets = ReadonlyMap<string, Buffer>;

/**
 * Sets the first manifest, or in the state Recovery a new one in place of what is lost.
 * @throws CoordinatorError WRONG_STATE, UNAUTHORIZED, MANIFEST_INVALID
 */
export function setManifest(coordinator: Coordinator, raw: Buffer, actor: string): Promise<RecoverySecrets> {
  const work = (data: CoordinatorData) => firstManifest(coordinator, data, raw, actor);
  if (coordinator.state !== 'Recovery') return coordinator.change(work);
  return coordinator.startOver(async (data) => {
    const change = await work(data);
    return { ...change, events: [recoveryEvent(coordinator, { step: 'abandoned' }), ...change.events] };
  });
}

/** Who sets the manifest, by the rule of the deployment. @throws CoordinatorError WRONG_STATE, UNAUTHORIZED */
export function requireManifestSetter(
  coordinator: Coordinator,
  operators: Operators,
  credentials: Credentials,
  raw: Buffer,
): string {
  const { state, settings } = coordinator;
  if (state !== 'AcceptingManifest' && state !== 'Recovery')
    throw new CoordinatorError('WRONG_STATE', WRONG_STATE);
  const operator = operators.identify(credentials);
  if (operator !== undefined) return operator;
  if (settings.firstManifest === 'first-caller') return 'first-caller';
  // Exactly this manifest may be brought by anybody; that a recovery is given up is for an operator to say.
  if (settings.firstManifest === fingerprintOf(raw) && state === 'AcceptingManifest') return 'first-caller';
  throw new CoordinatorError(
    'UNAUTHORIZED',
    'unauthorized: the first manifest of this deployment is set by an operator (client certificate or bearer token)',
  );
}

async function firstManifest(
  coordinator: Coordinator,
  data: CoordinatorData,
  raw: Buffer,
  actor: string,
): Promise<Change<RecoverySecrets>> {
  const { settings, ports } = coordinator;
  if (data.manifest) throw new CoordinatorError('WRONG_STATE', WRONG_STATE);
  const manifest = requireSound(readUpload(raw, 'first'), 'first', settings, ports.works);
  const recovery = setUpRecovery(manifest);
  const fingerprint = fingerprintOf(raw);
  return {
    data: {
      ...data,
      manifest: {
        raw: Buffer.from(raw),
        parsed: manifest,
        fingerprint,
        signature: signWithRoot(data.authority, raw),
      },
      stored: await generateShared(manifest, ports.works, data.authority.marbleRoot),
      log: [...data.log, logLine(ports.clock(), 'Initial manifest set')],
    },
    value: recovery.secrets,
    events: [
      manifestEvent(settings, {
        step: 'set',
        actor,
        fingerprint,
        recoveryKeys: [...recovery.secrets.keys()],
      }),
    ],
    recovery,
  };
}
