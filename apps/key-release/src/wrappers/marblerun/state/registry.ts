import type { DeploymentRegistry } from '../interface.js';
import type { Coordinator } from './coordinator.js';

/** Which deployment a name leads to. */
export class CoordinatorRegistry implements DeploymentRegistry {
  private readonly byName: ReadonlyMap<string, Coordinator>;
  private readonly fallback: Coordinator | undefined;

  constructor(readonly all: readonly Coordinator[]) {
    this.byName = new Map(all.flatMap((each) => each.settings.hosts.map((host) => [host, each] as const)));
    this.fallback = all.find((each) => each.settings.isDefault);
  }

  byHost(name: string | undefined): Coordinator | undefined {
    const host = (name ?? '')
      .replace(/:\d{1,5}$/, '')
      .replace(/\.$/, '')
      .toLowerCase();
    return this.byName.get(host) ?? this.fallback;
  }
}
