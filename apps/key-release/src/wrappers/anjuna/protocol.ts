import { SiegelError } from '#contracts';
import type { KeyReleaseEnvironment } from '../../environment.js';

/** Names of the two protocols in events. */
export const ANJUNA_PROTOCOL = 'anjuna';
export const VAULT_PROTOCOL = 'anjuna-vault';

/** @throws SiegelError NOT_FOUND where both are off */
export function requireAnjuna({ SIEGEL_ANJUNA: on }: KeyReleaseEnvironment): void {
  if (!on) throw new SiegelError('NOT_FOUND', { detail: 'this is off; set SIEGEL_ANJUNA=true' });
}
