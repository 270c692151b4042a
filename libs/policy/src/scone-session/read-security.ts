import { Fields } from './fields.js';
import { wholePlaceholder } from './text/placeholder.js';
import type { SconeSecurity } from './model.js';

export const TOLERANCES = [
  'debug-mode',
  'hyperthreading',
  'insecure-igpu',
  'software-hardening-needed',
  'aepic-leak',
  'insecure-configuration',
  'outdated-tcb',
  'maa-managed-tcb',
  'local-attestation-trust-cas-tcb',
  // The documentation writes it so once.
  'debug',
] as const;
const MODES = ['hardware', 'maa', 'none'] as const;
const ADVISORY = /^INTEL-SA-[0-9]{5}$/;

const STRICT: SconeSecurity = {
  mode: 'hardware',
  tolerate: [],
  ignoreAdvisories: [],
  singletonEnclaves: false,
};

export function readSecurity(session: Fields): SconeSecurity {
  const value = session.raw('security');
  if (value === undefined) return STRICT;
  const reference = wholePlaceholder(value);
  if (reference) return { ...STRICT, reference };
  const fields = Fields.of(value, session.at('security'), session.source);
  if (!fields) return STRICT;
  const singletonEnclaves = fields.flag('singleton_enclaves');
  const serviceAccessToken = fields.text('service_access_token');
  const attestation = fields.has('attestation')
    ? Fields.of(fields.raw('attestation'), fields.at('attestation'), fields.source)
    : undefined;
  const read = attestation ? readAttestation(attestation) : STRICT;
  fields.end();
  return {
    ...read,
    singletonEnclaves,
    ...(serviceAccessToken === undefined ? {} : { serviceAccessToken }),
  };
}

function readAttestation(fields: Fields): SconeSecurity {
  const mode = fields.oneOf('mode', MODES) ?? 'hardware';
  const tolerate = fields.texts('tolerate');
  for (const [index, word] of tolerate.entries()) {
    if (!(TOLERANCES as readonly string[]).includes(word))
      fields.source.fault([...fields.at('tolerate'), index], `is none of ${TOLERANCES.join(', ')}`);
  }
  const debug = tolerate.includes('debug-mode') || tolerate.includes('debug');
  let ignoreAdvisories: SconeSecurity['ignoreAdvisories'] = fields.texts('ignore_advisories');
  if (ignoreAdvisories.length === 1 && ignoreAdvisories[0] === '*') {
    // Without debug-mode the language does not allow it: then nothing is ignored.
    ignoreAdvisories = debug ? '*' : [];
    if (!debug) fields.fault('ignore_advisories', '"*" is allowed only with debug-mode');
  } else {
    for (const [index, advisory] of ignoreAdvisories.entries()) {
      if (!ADVISORY.test(advisory))
        fields.source.fault([...fields.at('ignore_advisories'), index], 'is no advisory as INTEL-SA-00615');
    }
  }
  const otp = fields.text('one_time_password_shared_secret');
  for (const key of [
    'trusted_scone_qe_pubkeys',
    'url',
    'certificates',
    'min_rsa_signing_key_size',
    'must_be_sgx_local',
  ])
    fields.raw(key);
  fields.end();
  return {
    ...STRICT,
    mode,
    tolerate,
    ignoreAdvisories,
    ...(otp === undefined ? {} : { otpSharedSecret: otp }),
  };
}
