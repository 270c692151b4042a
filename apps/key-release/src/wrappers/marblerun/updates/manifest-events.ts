import type { EventDraft } from '#emitter';
import type { DeploymentSettings } from '../interface.js';

type ManifestEvent = Extract<EventDraft, { type: 'coordinator.manifest' }>;

/** The event of one step of a manifest's life. */
export function manifestEvent(
  { tenant, name }: Pick<DeploymentSettings, 'tenant' | 'name'>,
  data: Omit<ManifestEvent['data'], 'deployment'>,
): ManifestEvent {
  const { recoveryKeys, packages, actor } = data;
  return {
    tenant,
    type: 'coordinator.manifest',
    outcome: data.step === 'failed' ? 'alert' : 'ok',
    data: {
      ...data,
      deployment: name,
      actor: actor.slice(0, 160),
      ...(recoveryKeys ? { recoveryKeys: recoveryKeys.slice(0, 256).map((each) => each.slice(0, 128)) } : {}),
      ...(packages
        ? { packages: packages.slice(0, 256).map((each) => ({ ...each, name: each.name.slice(0, 128) })) }
        : {}),
    },
  };
}
