import type { EventDraft } from '#emitter';
import { hash } from 'node:crypto';
import { CoordinatorError } from '../coordinator-error.js';
import type { Coordinator } from '../state/coordinator.js';
import { SealError } from '../state/sealed-form.js';

type RecoveryEvent = Extract<EventDraft, { type: 'coordinator.recovery' }>;

/** Secrets still wanted, as upstream counts them; 0: the state is open again. */
export interface RecoveryStanding {
  readonly remaining: number;
}

/**
 * Takes one recovery secret. Attempts of an address that failed too often are not looked at.
 * @param source address of the client
 * @throws CoordinatorError WRONG_STATE, RATE_LIMITED, REQUEST_INVALID, RECOVERY_REFUSED; SiegelError where the log is out of reach
 */
export async function recover(
  coordinator: Coordinator,
  secret: Buffer,
  signature: Buffer,
  source: string,
): Promise<RecoveryStanding> {
  const { session, attempts } = coordinator.recovery;
  const wait = attempts.waitFor(source);
  if (wait > 0)
    throw new CoordinatorError(
      'RATE_LIMITED',
      `too many failed recovery attempts; try again in ${wait} seconds`,
    );
  let accepted;
  try {
    accepted = await session.add(secret, signature);
  } catch (error) {
    if (error instanceof CoordinatorError) attempts.failed(source);
    throw error;
  }
  const { name, remaining, key } = accepted;
  const share = recoveryEvent(coordinator, { step: 'share', recoveryKey: name.slice(0, 128), remaining });
  if (key === undefined) {
    await coordinator.log([share]);
    return { remaining };
  }
  try {
    await coordinator.recovered(key, ({ authority }) => [
      share,
      recoveryEvent(coordinator, {
        step: 'recovered',
        root: hash('sha256', authority.root.certificate, 'hex'),
      }),
    ]);
  } catch (error) {
    session.reset();
    if (error instanceof SealError)
      throw new CoordinatorError('RECOVERY_REFUSED', error.message, { cause: error });
    throw error;
  } finally {
    key.fill(0);
  }
  return { remaining: 0 };
}

export function recoveryEvent(
  { settings }: Pick<Coordinator, 'settings'>,
  data: Omit<RecoveryEvent['data'], 'deployment'>,
): RecoveryEvent {
  return {
    tenant: settings.tenant,
    type: 'coordinator.recovery',
    outcome: data.step === 'sealed' || data.step === 'abandoned' ? 'alert' : 'ok',
    data: { ...data, deployment: settings.name },
  };
}
