import { SiegelError } from '#contracts';
import type { FortanixConfiguration, Grants, SecretGrant } from '#policy';
import type { ReleasePayload } from '#contracts';
import type { Carrier } from '../../../pipeline/interface.js';

/** The configuration that a session was started with, if the manifest in force still lists it. @throws SiegelError */
function configurationOf({ fortanix }: Grants, id: string | undefined): FortanixConfiguration {
  if (!fortanix) throw denied('FORTANIX_NOT_GRANTED', 'the workload has no "fortanix"');
  const found = id === undefined ? undefined : fortanix.configurations.get(id);
  if (found) return found;
  throw denied('CONFIGURATION_NOT_ALLOWED', `the manifest in force has no configuration ${id ?? '(none)'}`);
}

const denied = (code: string, message: string): SiegelError =>
  new SiegelError('CONFIGURATION_NOT_ALLOWED', { reason: { code, message } });

/** Carries a configuration alone: nothing of it is a secret. */
export class ConfigurationCarrier implements Carrier {
  configuration: FortanixConfiguration | undefined;

  constructor(private readonly configId: string | undefined) {}

  /** @throws SiegelError CONFIGURATION_NOT_ALLOWED */
  select({ argv: _argv, certificate: _certificate, ...grants }: Grants): Grants {
    this.configuration = configurationOf(grants, this.configId);
    return { ...grants, secrets: [], env: {} };
  }

  accept(): void {
    // There is nothing in the payload.
  }
}

/** Carries the one secret that a dataset of the configuration names. */
export class DatasetCarrier implements Carrier {
  /** base64 */
  value: string | undefined;

  constructor(
    private readonly configId: string | undefined,
    private readonly name: string,
  ) {}

  /** @throws SiegelError CONFIGURATION_NOT_ALLOWED, RELEASE_DENIED */
  select({ argv: _argv, certificate: _certificate, ...grants }: Grants): Grants {
    const { connections } = configurationOf(grants, this.configId);
    const dataset = connections.find((one) => one.dataset?.secret.objectAlias === this.name)?.dataset;
    if (!dataset) {
      throw new SiegelError('RELEASE_DENIED', {
        reason: {
          code: 'DATASET_UNKNOWN',
          message: `no dataset has the credentials ${JSON.stringify(this.name)}`,
        },
      });
    }
    return { ...grants, secrets: [asBytes(dataset.secret)], env: {} };
  }

  accept({ files }: ReleasePayload): void {
    this.value = files[0]?.content;
  }
}

/** However the manifest would deliver it: here its bytes are wanted. */
function asBytes({ objectAlias, ...grant }: SecretGrant): SecretGrant {
  return { ...grant, objectAlias, as: 'file', path: `/${objectAlias}`, mode: '0400' };
}
