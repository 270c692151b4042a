import { readEnvironment, serviceEnvironment } from '#platform';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { requireTrusteeSettings, trusteeEnvironment } from './environment.js';

const own = z.object({
  ...trusteeEnvironment,
  SIEGEL_SIMULATION: serviceEnvironment.shape.SIEGEL_SIMULATION,
});
const settings = (variables: Record<string, string>) => {
  const read = readEnvironment(own, variables);
  requireTrusteeSettings(read);
  return read;
};

describe('variables of the wrapper', () => {
  it('are off by default, and TLS is on', () => {
    expect(settings({})).toMatchObject({
      SIEGEL_TRUSTEE_PORT: 0,
      SIEGEL_TRUSTEE_TLS: true,
      SIEGEL_TRUSTEE_SESSION_SECONDS: 300,
    });
  });

  it('take the sample attester in a simulation, and administration by TLS', () => {
    const all = {
      ...{ SIEGEL_SIMULATION: 'true', SIEGEL_TRUSTEE_SAMPLE_WORKLOAD: 'app' },
      ...{ SIEGEL_TRUSTEE_ADMIN_FILE: 'admin.json', SIEGEL_TRUSTEE_TLS: 'true' },
    };
    expect(settings(all)).toMatchObject({ SIEGEL_TRUSTEE_SAMPLE_WORKLOAD: 'app' });
  });

  it.each<readonly [string, Record<string, string>]>([
    ['SIEGEL_TRUSTEE_SAMPLE_WORKLOAD', { SIEGEL_TRUSTEE_SAMPLE_WORKLOAD: 'app' }],
    ['SIEGEL_TRUSTEE_ADMIN_FILE', { SIEGEL_TRUSTEE_ADMIN_FILE: 'admin.json', SIEGEL_TRUSTEE_TLS: 'false' }],
    ['SIEGEL_TRUSTEE_SESSION_SECONDS', { SIEGEL_TRUSTEE_SESSION_SECONDS: '1000' }],
    ['SIEGEL_TRUSTEE_MAX_SESSIONS', { SIEGEL_TRUSTEE_MAX_SESSIONS: '0' }],
    ['SIEGEL_TRUSTEE_TLS', { SIEGEL_TRUSTEE_TLS: 'off' }],
    ['SIEGEL_TRUSTEE_PORT', { SIEGEL_TRUSTEE_PORT: '70000' }],
  ])('%s is named where it is wrong', (variable, variables) => {
    expect(() => settings(variables)).toThrow(variable);
  });
});
