import type { Identity } from '../manifest/identity-schema.js';
import type { AttestedClaims } from './claims.js';
import { atLeast, atMost, exactly, oneOf } from './conditions.js';
import type { Rule } from './conditions.js';

/** One entry of a workload's identity, compiled. */
export interface IdentityVariant {
  /** The index keys of the measurement that leads here: of MRENCLAVE, else of MRTD, else of MRSIGNER. */
  readonly keys: readonly string[];
  readonly rules: readonly Rule[];
}

/** Key of the index by measurement. */
export const measurementKey = {
  mrenclave: (value: string) => `e:${value}`,
  mrsigner: (value: string) => `s:${value}`,
  mrtd: (value: string) => `t:${value}`,
};

const ZERO_48 = '0'.repeat(96);

export function compileIdentity(identity: Identity): IdentityVariant {
  const rules: Rule[] = [];
  const add = (rule: Rule | undefined) => rule && rules.push(rule);
  const set = (
    field: Exclude<keyof Identity, 'isvprodid' | 'isvsvn' | 'isvsvnMax' | 'configsvn' | 'claims'>,
    denial: Rule['denial'],
    read: (claims: AttestedClaims) => string | undefined,
  ) => {
    const values = identity[field];
    add(values && oneOf(`identity.${field}`, denial, values, read));
  };
  const tdx = identity.mrtd !== undefined;
  add(exactly('identity.tee', 'MEASUREMENT_NOT_ALLOWED', tdx ? 'tdx' : 'sgx', (claims) => claims.tee));
  set('mrenclave', 'MEASUREMENT_NOT_ALLOWED', (claims) => claims.mrenclave);
  set('mrsigner', 'MEASUREMENT_NOT_ALLOWED', (claims) => claims.mrsigner);
  set('mrtd', 'MEASUREMENT_NOT_ALLOWED', (claims) => claims.mrtd);
  set('rtmr0', 'MEASUREMENT_NOT_ALLOWED', (claims) => claims.rtmrs?.[0]);
  set('rtmr1', 'MEASUREMENT_NOT_ALLOWED', (claims) => claims.rtmrs?.[1]);
  set('rtmr2', 'MEASUREMENT_NOT_ALLOWED', (claims) => claims.rtmrs?.[2]);
  set('rtmr3', 'MEASUREMENT_NOT_ALLOWED', (claims) => claims.rtmrs?.[3]);
  set('mrseam', 'MEASUREMENT_NOT_ALLOWED', (claims) => claims.mrSeam);
  if (tdx && !identity.mrservicetd) {
    // A service TD can read and migrate the trust domain: unless named, none may be bound. TD 1.0 quotes have no such field.
    add(
      oneOf(
        'identity.mrservicetd',
        'MEASUREMENT_NOT_ALLOWED',
        [ZERO_48],
        (claims) => claims.mrServiceTd ?? ZERO_48,
      ),
    );
  }
  set('mrservicetd', 'MEASUREMENT_NOT_ALLOWED', (claims) => claims.mrServiceTd);
  const { isvprodid, isvsvn, isvsvnMax, configsvn } = identity;
  if (isvprodid !== undefined) {
    const values = typeof isvprodid === 'number' ? [isvprodid] : isvprodid;
    add(oneOf('identity.isvprodid', 'ISV_PROD_ID_NOT_ALLOWED', values, (claims) => claims.isvProdId));
  }
  set('isvextprodid', 'ISV_PROD_ID_NOT_ALLOWED', (claims) => claims.isvExtProdId);
  set('isvfamilyid', 'ISV_PROD_ID_NOT_ALLOWED', (claims) => claims.isvFamilyId);
  if (isvsvn !== undefined)
    add(atLeast('identity.isvsvn', 'ISV_SVN_TOO_LOW', isvsvn, (claims) => claims.isvSvn));
  if (isvsvnMax !== undefined)
    add(atMost('identity.isvsvnMax', 'ISV_SVN_TOO_HIGH', isvsvnMax, (claims) => claims.isvSvn));
  set('configid', 'CONFIGURATION_NOT_ALLOWED', (claims) => claims.configId);
  if (configsvn !== undefined)
    add(atLeast('identity.configsvn', 'ISV_SVN_TOO_LOW', configsvn, (claims) => claims.configSvn));
  set('mrconfigid', 'CONFIGURATION_NOT_ALLOWED', (claims) => claims.mrConfigId);
  set('mrowner', 'CONFIGURATION_NOT_ALLOWED', (claims) => claims.mrOwner);
  set('mrownerconfig', 'CONFIGURATION_NOT_ALLOWED', (claims) => claims.mrOwnerConfig);
  for (const [name, values] of Object.entries(identity.claims ?? {})) {
    add(
      oneOf(`identity.claims.${name}`, 'CONFIGURATION_NOT_ALLOWED', values, ({ customClaims = {} }) =>
        Object.hasOwn(customClaims, name) ? customClaims[name] : undefined,
      ),
    );
  }
  return { keys: keysOf(identity), rules };
}

function keysOf(identity: Identity): string[] {
  if (identity.mrenclave) return identity.mrenclave.map(measurementKey.mrenclave);
  if (identity.mrtd) return identity.mrtd.map(measurementKey.mrtd);
  return (identity.mrsigner ?? []).map(measurementKey.mrsigner);
}
