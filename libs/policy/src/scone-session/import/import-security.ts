import type { TcbStatusName } from '../../manifest/schema.js';
import type { SconeSecurity } from '../model.js';
import type { ImportReport } from './report.js';

export interface ImportedSecurity {
  readonly tcb: { readonly accept: readonly TcbStatusName[]; readonly advisories?: { allow: string[] } };
  readonly debug: boolean;
  /** Whether evidence is demanded at all, and by rules that this session itself states. */
  readonly attested: boolean;
}

const CATEGORIES: Readonly<Record<string, readonly TcbStatusName[]>> = {
  'software-hardening-needed': ['SWHardeningNeeded'],
  'insecure-configuration': ['ConfigurationNeeded'],
  'outdated-tcb': ['OutOfDate', 'OutOfDateConfigurationNeeded'],
};
/** A category and an advisory in one word. */
const SHORTCUTS: Readonly<Record<string, string>> = {
  hyperthreading: 'INTEL-SA-00233',
  'insecure-igpu': 'INTEL-SA-00219',
  'aepic-leak': 'INTEL-SA-00657',
};
const ORDER: readonly TcbStatusName[] = [
  'UpToDate',
  'SWHardeningNeeded',
  'ConfigurationNeeded',
  'ConfigurationAndSWHardeningNeeded',
  'OutOfDate',
  'OutOfDateConfigurationNeeded',
];
const AT = ['security', 'attestation'];

/**
 * `tolerate` and `ignore_advisories` as statuses and an allow-list. The language is strict: a platform must have its category and every
 * one of its advisories listed, and so it is here.
 */
export function importSecurity(security: SconeSecurity, report: ImportReport): ImportedSecurity {
  const { mode, reference } = security;
  if (reference)
    report.unsupported(['security'], 'a fragment of another session; copy its text into this session');
  if (mode === 'hardware') report.mapped([...AT, 'mode'], 'evidence is always demanded');
  else if (mode === 'maa')
    report.weakened(
      [...AT, 'mode'],
      "the quote is verified here with Intel's collateral; no token of Microsoft's is asked for besides",
    );
  else
    report.unsupported([...AT, 'mode'], 'without attestation nothing is released; the service is left out');
  const accepted = new Set<TcbStatusName>(['UpToDate']);
  const allow = new Set<string>();
  let debug = false;
  for (const [index, word] of security.tolerate.entries()) {
    const at = [...AT, 'tolerate', index];
    const statuses = CATEGORIES[word];
    const advisory = SHORTCUTS[word];
    if (statuses) {
      statuses.forEach((status) => accepted.add(status));
      report.mapped(at, `tcb.accept: ${statuses.join(', ')}`);
    } else if (advisory !== undefined) {
      tolerateShortcut(security, at, advisory, report);
      accepted.add('ConfigurationNeeded');
      allow.add(advisory);
    } else if (word === 'debug-mode' || word === 'debug') {
      debug = true;
      report.mapped(at, 'debug: true; such a manifest is warned of');
    } else if (word === 'maa-managed-tcb') {
      report.mapped(at, "left out: the platform's status is known here and judged by the other entries");
    } else if (word === 'local-attestation-trust-cas-tcb') {
      report.mapped(
        at,
        'left out: there is no local attestation here, every platform is judged by its quote',
      );
    } else report.unsupported(at, 'not known');
  }
  if (accepted.has('SWHardeningNeeded') && accepted.has('ConfigurationNeeded'))
    accepted.add('ConfigurationAndSWHardeningNeeded');
  const advisories = importAdvisories(security, allow, report);
  return {
    tcb: {
      accept: ORDER.filter((status) => accepted.has(status)),
      ...(advisories === undefined ? {} : { advisories: { allow: advisories } }),
    },
    debug,
    attested: mode !== 'none' && reference === undefined,
  };
}

function tolerateShortcut(
  { tolerate }: SconeSecurity,
  at: (string | number)[],
  advisory: string,
  report: ImportReport,
): void {
  const note = `tcb.accept: ConfigurationNeeded, tcb.advisories.allow: ${advisory}`;
  if (tolerate.includes('insecure-configuration')) report.mapped(at, note);
  else
    report.weakened(
      at,
      `${note}; that this word stands for a category as well is documented, not for which: the category holds for other advisories that are ignored`,
    );
}

function importAdvisories(
  { ignoreAdvisories }: SconeSecurity,
  allow: Set<string>,
  report: ImportReport,
): string[] | undefined {
  const at = [...AT, 'ignore_advisories'];
  if (ignoreAdvisories === '*') {
    report.mapped(at, 'no list: every advisory is accepted, as the language allows beside debug-mode');
    return undefined;
  }
  for (const advisory of ignoreAdvisories) allow.add(advisory);
  report.mapped(at, 'tcb.advisories.allow: every advisory of the platform must be in it');
  return [...allow].filter((advisory) => /^INTEL-SA-[0-9]{5}$/.test(advisory)).sort();
}

/** Members of `security` that say nothing about what is released, or cannot be done here. */
export function reportRestOfSecurity(
  security: SconeSecurity,
  present: (path: readonly string[]) => boolean,
  report: ImportReport,
): void {
  const say = (key: string, result: 'mapped' | 'weakened' | 'unsupported', note: string): void => {
    if (present([...AT, key])) report.add([...AT, key], result, note);
  };
  say('min_rsa_signing_key_size', 'mapped', 'has had no effect since 5.8');
  say('url', 'mapped', "Microsoft's service is not asked");
  say('certificates', 'mapped', "Microsoft's service is not asked");
  say('trusted_scone_qe_pubkeys', 'unsupported', "SCONE's quoting enclave is not known here");
  say('must_be_sgx_local', 'unsupported', 'that the CAS runs on the same machine cannot be demanded');
  say('one_time_password_shared_secret', 'unsupported', 'a manifest has no second factor');
  if (security.singletonEnclaves)
    report.unsupported(
      ['security', 'singleton_enclaves'],
      'that one instance runs at a time needs the runtime; an enclave may attest as often as it likes',
    );
  else if (present(['security', 'singleton_enclaves']))
    report.mapped(['security', 'singleton_enclaves'], 'off');
  if (security.serviceAccessToken !== undefined)
    report.unsupported(['security', 'service_access_token'], 'a manifest has no second factor');
}
