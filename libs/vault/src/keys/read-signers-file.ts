import { readFileSync } from 'node:fs';
import { VaultError } from '../errors.js';
import { SignersConfig } from './signers-config.js';

/** Reads `SIEGEL_SIGNERS_FILE`. @throws VaultError VAULT_MISCONFIGURED that names the member */
export function readSignersFile(path: string): SignersConfig {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw misconfigured(`${path} cannot be read as JSON: ${(error as Error).message}`);
  }
  const parsed = SignersConfig.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw misconfigured(
      `${issue?.path.map(String).join('.') || 'the whole file'}: ${issue?.message ?? 'invalid'}`,
    );
  }
  const { meshCaRoot, tokens } = parsed.data;
  // A key that makes both roots would let a certificate of the one pass for the other's.
  if (
    meshCaRoot !== undefined &&
    tokens !== undefined &&
    meshCaRoot.vault.url === tokens.vault.url &&
    meshCaRoot.keyName.toLowerCase() === tokens.keyName.toLowerCase()
  ) {
    throw misconfigured('meshCaRoot and tokens must be different keys');
  }
  return parsed.data;
}

const misconfigured = (message: string): VaultError => new VaultError('VAULT_MISCONFIGURED', message);
