import { appConfigId, serialiseAppConfig } from '#evidence';
import type { FortanixSection } from '../manifest/fortanix-schema.js';
import type { SecretGrant } from './decision.js';

export interface FortanixConnection {
  readonly port: string;
  readonly name: string;
  readonly dataset?: { readonly location: string; readonly secret: SecretGrant };
  readonly application?: { readonly workflowDomain: string };
}

export interface FortanixConfiguration {
  /** The exact text whose SHA-256 is the identifier. */
  readonly text: string;
  readonly connections: readonly FortanixConnection[];
}

/** What clients of Fortanix' em-app may be started with and read. */
export interface FortanixGrant {
  /** By identifier, hex. */
  readonly configurations: ReadonlyMap<string, FortanixConfiguration>;
}

export function fortanixGrant(section: FortanixSection, secrets: readonly SecretGrant[]): FortanixGrant {
  const configurations = new Map<string, FortanixConfiguration>();
  for (const { config, connections = {} } of section.configs ?? []) {
    const listed = Object.entries(connections).flatMap(([port, names]) =>
      Object.entries(names).flatMap(([name, { dataset, application }]): FortanixConnection[] => {
        if (application)
          return [{ port, name, application: { workflowDomain: application.workflow_domain } }];
        const [secret, ...others] = secrets.filter(({ objectAlias }) => objectAlias === dataset?.secret);
        // That there is exactly one is the lint's to demand; where it was not asked, there is no connection.
        if (!dataset || !secret || others.length > 0) return [];
        return [{ port, name, dataset: { location: dataset.location, secret } }];
      }),
    );
    configurations.set(
      appConfigId(config).toString('hex'),
      Object.freeze({ text: serialiseAppConfig(config), connections: Object.freeze(listed) }),
    );
  }
  return Object.freeze({ configurations });
}
