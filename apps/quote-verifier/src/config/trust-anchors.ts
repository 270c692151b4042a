import { INTEL_SGX_ROOT, trustAnchorFromPem, type TrustAnchor } from '#dcap';
import { ConfigurationError } from '#platform';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Intel's root always; a simulated one only where the configuration pins it. Throws ConfigurationError. */
export function trustAnchors(simulatedRootFile: string | undefined): TrustAnchor[] {
  if (simulatedRootFile === undefined) return [INTEL_SGX_ROOT];
  const refuse = (message: string): ConfigurationError =>
    new ConfigurationError([{ variable: 'SIEGEL_SIMULATED_ROOT_FILE', message }]);
  let anchor: TrustAnchor;
  try {
    anchor = trustAnchorFromPem(readFileSync(simulatedRootFile, 'utf8'), {
      id: 'simulated',
      simulated: true,
    });
  } catch (error) {
    throw refuse(`is not a readable root certificate: ${(error as Error).message}`);
  }
  if (anchor.publicKey.equals(INTEL_SGX_ROOT.publicKey))
    throw refuse("holds Intel's root, which is not simulated");
  // Two simulated worlds that share a bucket must not meet in it.
  const thumbprint = createHash('sha256').update(anchor.publicKey).digest('hex').slice(0, 16);
  return [INTEL_SGX_ROOT, { ...anchor, id: `simulated-${thumbprint}` }];
}
