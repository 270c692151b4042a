import { ConfigurationError, readEnvironment } from '#platform';
import { describe, expect, it } from '@jest/globals';
import { verifierEnvironment } from './environment.js';

const required = {
  SIEGEL_NATS_SEED_FILE: 'seed',
  SIEGEL_NATS_INBOX_PREFIX: '_INBOX_quote_verifier',
  SIEGEL_TRUST_FILE: 'trust.json',
  SIEGEL_STATE_DIR: 'state',
  SIEGEL_HTTP_PORT: '0',
  SIEGEL_VERDICT_KEY_FILE: 'verdict.pem',
};
const refused = (variables: Record<string, string>): string[] => {
  try {
    readEnvironment(verifierEnvironment, { ...required, ...variables });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.problems.map(({ variable }) => variable.split('.')[0] as string);
  }
};

describe('configuration of the quote-verifier', () => {
  it('asks Intel alone, trusts Intel alone and gives no grace unless it is told otherwise', () => {
    expect(readEnvironment(verifierEnvironment, required)).toMatchObject({
      SIEGEL_COLLATERAL_SOURCES: ['pcs'],
      SIEGEL_PCS_URL: 'https://api.trustedservices.intel.com',
      SIEGEL_COLLATERAL_UPDATE: 'standard',
      SIEGEL_COLLATERAL_GRACE_SECONDS: 0,
      SIEGEL_SIMULATION: false,
    });
  });

  it.each([
    'https://pccs.example:8081',
    'http://127.0.0.1:8081/',
    'http://[::1]:1',
    'http://localhost:1',
    'http://169.254.169.254/metadata/THIM',
  ])('takes the address %s', (address) => {
    expect(refused({ SIEGEL_PCCS_URL: address })).toEqual([]);
  });

  it.each([
    'http://pccs.example',
    'http://127.0.0.1.example',
    'http://169.254.169.253',
    'https://user:word@pccs.example',
    'https://pccs.example/?a=b',
    'ftp://pccs.example',
    'pccs.example',
  ])('refuses the address %s', (address) => {
    expect(refused({ SIEGEL_PCCS_URL: address })).toEqual(['SIEGEL_PCCS_URL']);
  });

  it.each([
    [{ SIEGEL_COLLATERAL_SOURCES: 'pcs,pcs' }, 'SIEGEL_COLLATERAL_SOURCES'],
    [{ SIEGEL_COLLATERAL_SOURCES: ',' }, 'SIEGEL_COLLATERAL_SOURCES'],
    [{ SIEGEL_COLLATERAL_SOURCES: 'bundle' }, 'SIEGEL_COLLATERAL_BUNDLE_DIR'],
    [{ SIEGEL_COLLATERAL_UPDATE: 'late' }, 'SIEGEL_COLLATERAL_UPDATE'],
    [{ SIEGEL_COLLATERAL_GRACE_SECONDS: '-1' }, 'SIEGEL_COLLATERAL_GRACE_SECONDS'],
    [{ SIEGEL_COLLATERAL_PREFETCH: 'sgx:00606A000000:platform' }, 'SIEGEL_COLLATERAL_PREFETCH'],
    [{ SIEGEL_SIMULATED_ROOT_FILE: 'root.pem' }, 'SIEGEL_SIMULATED_ROOT_FILE'],
    [{ SIEGEL_SIMULATION: 'true' }, 'SIEGEL_SIMULATED_ROOT_FILE'],
    [{ SIEGEL_VERIFIER_WORKERS: '-1' }, 'SIEGEL_VERIFIER_WORKERS'],
    [{ SIEGEL_VERDICT_KEY_FILE: '' }, 'SIEGEL_VERDICT_KEY_FILE'],
  ])('refuses %p', (variables, variable) => {
    expect(refused(variables)).toEqual([variable]);
  });
});
