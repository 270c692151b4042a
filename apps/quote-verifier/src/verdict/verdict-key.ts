import { LocalSigner } from '#pki';
import { ConfigurationError, type Trust } from '#platform';

export const VERDICT_KEY = Symbol('VERDICT_KEY');

/** The key of this verifier. Refused unless relying parties know it: a verdict that nobody believes is an outage found late. */
export async function openVerdictKey(file: string, trust: Pick<Trust, 'verifiers'>): Promise<LocalSigner> {
  const refuse = (message: string): ConfigurationError =>
    new ConfigurationError([{ variable: 'SIEGEL_VERDICT_KEY_FILE', message }]);
  let key: LocalSigner;
  try {
    key = await LocalSigner.fromFile(file);
  } catch (error) {
    throw refuse((error as Error).message);
  }
  if (key.alg !== 'ES256') throw refuse('is not a P-256 key');
  const trusted = trust.verifiers.get(key.kid);
  if (trusted === undefined || !trusted.equals(key.publicKey))
    throw refuse(`holds the key ${key.kid}, which the trust file does not list among the verifiers`);
  return key;
}
