import { SiegelError } from '#contracts';
import type { KeyReleaseEnvironment } from '../../environment.js';

/** Name of the protocol in events. */
export const FORTANIX_PROTOCOL = 'fortanix';

/** Name of the attested claim that holds the configuration's identifier, for `identity.claims` of the manifest. */
export const CONFIG_CLAIM = 'fortanix-config';

/** @throws SiegelError NOT_FOUND where the protocol is off */
export function requireFortanix({ SIEGEL_FORTANIX: on }: KeyReleaseEnvironment): void {
  if (!on)
    throw new SiegelError('NOT_FOUND', { detail: "Fortanix' protocol is off; set SIEGEL_FORTANIX=true" });
}
