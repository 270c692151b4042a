import { BundleSource, type CollateralSource, PccsSource, PcsSource, ThimSource } from '#collateral';
import type { TrustAnchor } from '#dcap';
import { configuredBy, readConfigurationText } from '#platform';
import type { VerifierEnvironment } from '../config/environment.js';

/** The configured sources, in the order in which they are asked. Throws ConfigurationError. */
export function openSources(
  environment: VerifierEnvironment,
  anchors: readonly TrustAnchor[],
  clock: () => Date,
): CollateralSource[] {
  const http = {
    timeoutMs: environment.SIEGEL_COLLATERAL_TIMEOUT_MS,
    ...(environment.SIEGEL_COLLATERAL_CA_FILE === undefined
      ? {}
      : { extraCa: readText('SIEGEL_COLLATERAL_CA_FILE', environment.SIEGEL_COLLATERAL_CA_FILE) }),
  };
  const rootCrlUrl = environment.SIEGEL_PCS_ROOT_CRL_URL;
  return environment.SIEGEL_COLLATERAL_SOURCES.map((name): CollateralSource => {
    switch (name) {
      case 'bundle':
        return new BundleSource({
          folder: environment.SIEGEL_COLLATERAL_BUNDLE_DIR as string,
          anchors,
          graceSeconds: environment.SIEGEL_COLLATERAL_GRACE_SECONDS,
          clock,
        });
      case 'pccs':
        return new PccsSource({ ...http, baseUrl: environment.SIEGEL_PCCS_URL as string });
      case 'pcs':
        return new PcsSource({
          ...http,
          baseUrl: environment.SIEGEL_PCS_URL,
          rootCrlUrl,
          ...(environment.SIEGEL_PCS_KEY_FILE === undefined
            ? {}
            : { subscriptionKey: readText('SIEGEL_PCS_KEY_FILE', environment.SIEGEL_PCS_KEY_FILE).trim() }),
        });
      case 'thim':
        return new ThimSource({ ...http, baseUrls: environment.SIEGEL_THIM_URLS, rootCrlUrl });
    }
  });
}

const readText = (variable: string, path: string): string =>
  configuredBy(variable, () => readConfigurationText(path));
