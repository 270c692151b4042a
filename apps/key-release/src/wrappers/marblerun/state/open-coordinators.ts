import type { VaultRegistry } from '#vault';
import { ConfigurationError } from '#platform';
import { quoteProvider } from '../rest/coordinator-quote.js';
import { Coordinator, type CoordinatorPorts } from './coordinator.js';
import type { DeploymentOptions } from './deployments-file.js';
import { CoordinatorRegistry } from './registry.js';
import { SealFolderError } from './seal-folder.js';
import { SealStore } from './seal-store.js';

/**
 * Opens every deployment of the configuration, each from its own folder.
 * @throws ConfigurationError for a state that cannot be used here; then none is open
 */
export async function openCoordinators(
  deployments: readonly DeploymentOptions[],
  ports: Omit<CoordinatorPorts, 'quotes'>,
  vaults: Pick<VaultRegistry, 'get'>,
): Promise<CoordinatorRegistry> {
  const opened: Coordinator[] = [];
  try {
    for (const options of deployments) {
      const store = await SealStore.open(options, vaults);
      try {
        opened.push(
          await Coordinator.open(options, store, { ...ports, quotes: quoteProvider(options.quote) }),
        );
      } catch (error) {
        store.close();
        throw error;
      }
    }
  } catch (error) {
    for (const coordinator of opened) await coordinator.close();
    if (error instanceof SealFolderError)
      throw new ConfigurationError([{ variable: 'SIEGEL_MARBLERUN_FILE', message: error.message }]);
    throw error;
  }
  return new CoordinatorRegistry(opened);
}
