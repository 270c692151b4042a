import { TCB_STATUSES } from '#policy';
import { type Importer, type ImportLine, malformed, textOf } from './importer.js';

/**
 * The RA_TLS_… variables of a Gramine verifier (ra_tls_verify_common.c), as lines `NAME=value`, `export NAME=value`, or
 * `loader.env.NAME = "value"` of a Gramine manifest. `any` leaves a check out.
 */
export const GRAMINE_ENV: Importer = {
  what: 'RA_TLS_… variables of a Gramine verifier (env lines, or loader.env lines of a manifest)',
  maxBytes: 256 * 1024,
  read: (file) => {
    const variables = readVariables(textOf(file));
    const report: ImportLine[] = [];
    const add = (path: string, result: ImportLine['result'], note: string): void =>
      void report.push({ path, result, note });
    const identity: Record<string, unknown> = {};
    for (const { name, field, parse, what } of IDENTITY) {
      const value = variables.get(name);
      if (value === undefined)
        add(name, 'unsupported', 'not set, which Gramine refuses; say "any" to leave the check out');
      else if (value === 'any') add(name, 'mapped', 'any: left out');
      else {
        const parsed = parse(value);
        if (parsed === undefined) throw malformed(`${name} is not ${what}`);
        identity[field] = parsed;
        add(name, 'mapped', `identity.${field}${field === 'isvsvn' ? ', the lowest accepted' : ''}`);
      }
    }
    const on = (name: string): boolean => variables.get(name) === '1';
    const accept = accepted({
      outdated: on('RA_TLS_ALLOW_OUTDATED_TCB_INSECURE'),
      configuration: on('RA_TLS_ALLOW_HW_CONFIG_NEEDED'),
      hardening: on('RA_TLS_ALLOW_SW_HARDENING_NEEDED'),
    });
    const debug = on('RA_TLS_ALLOW_DEBUG_ENCLAVE_INSECURE');
    for (const name of variables.keys()) {
      if (IDENTITY.some((each) => each.name === name)) continue;
      if (SWITCHES.has(name)) {
        const rule = SWITCHES.get(name) as string;
        add(name, 'mapped', on(name) ? rule : 'off');
        if (on(name) && name === 'RA_TLS_ALLOW_OUTDATED_TCB_INSECURE') {
          add(
            `${name}:expired-collateral`,
            'unsupported',
            'expired collateral is refused here whatever a manifest says',
          );
        }
      } else if (NO_POLICY.test(name)) add(name, 'mapped', 'no rule about enclaves');
      else add(name, 'unsupported', UNSUPPORTED.find(([pattern]) => pattern.test(name))?.[1] ?? 'not known');
    }
    return {
      workload: { identity, tcb: { accept }, ...(debug ? { debug: true } : {}) },
      report,
    };
  },
};

const hex = (value: string): string[] | undefined =>
  /^[0-9a-f]{64}$/i.test(value) ? [value.toLowerCase()] : undefined;
const decimal = (value: string): number | undefined =>
  /^\d{1,5}$/.test(value) && Number(value) <= 65_535 ? Number(value) : undefined;

interface IdentityVariable {
  readonly name: string;
  readonly field: string;
  readonly what: string;
  readonly parse: (value: string) => unknown;
}
const IDENTITY: readonly IdentityVariable[] = [
  { name: 'RA_TLS_MRENCLAVE', field: 'mrenclave', parse: hex, what: '64 hexadecimal digits or "any"' },
  { name: 'RA_TLS_MRSIGNER', field: 'mrsigner', parse: hex, what: '64 hexadecimal digits or "any"' },
  { name: 'RA_TLS_ISV_PROD_ID', field: 'isvprodid', parse: decimal, what: 'a number to 65535 or "any"' },
  { name: 'RA_TLS_ISV_SVN', field: 'isvsvn', parse: decimal, what: 'a number to 65535 or "any"' },
];

const SWITCHES: ReadonlyMap<string, string> = new Map([
  ['RA_TLS_ALLOW_DEBUG_ENCLAVE_INSECURE', 'debug: true; the host can read the memory of such enclaves'],
  ['RA_TLS_ALLOW_OUTDATED_TCB_INSECURE', 'tcb.accept: OutOfDate'],
  ['RA_TLS_ALLOW_HW_CONFIG_NEEDED', 'tcb.accept: ConfigurationNeeded'],
  ['RA_TLS_ALLOW_SW_HARDENING_NEEDED', 'tcb.accept: SWHardeningNeeded'],
]);
const NO_POLICY =
  /^(?:RA_TLS_CERT_TIMESTAMP_NOT_(?:BEFORE|AFTER)|SECRET_PROVISION_(?:SERVERS|CA_CHAIN_PATH))$/;
const UNSUPPORTED: readonly (readonly [RegExp, string])[] = [
  [/^RA_TLS_EPID_/, 'EPID attestation ended in 2025; only DCAP quotes are verified'],
  [/^RA_TLS_(?:MAA|ITA)_/, 'quotes are verified here, not by another service'],
  [
    /^SECRET_PROVISION_SET_(?:PF_)?KEY$/,
    'give the workload its key: gramine: { delivery: raw16 } and the secret in "secrets"',
  ],
  [
    /^SECRET_PROVISION_CONSTRUCTOR$/,
    'say what the workload receives: gramine: { delivery: env-string } and the secret in "secrets"',
  ],
];

/** Which statuses Gramine's verifier lets pass (ra_tls_verify_dcap.c). */
function accepted(allow: { outdated: boolean; configuration: boolean; hardening: boolean }): string[] {
  const passes: Readonly<Record<string, boolean>> = {
    UpToDate: true,
    SWHardeningNeeded: allow.hardening,
    ConfigurationNeeded: allow.configuration,
    ConfigurationAndSWHardeningNeeded: allow.configuration && allow.hardening,
    OutOfDate: allow.outdated,
    OutOfDateConfigurationNeeded: allow.outdated && allow.configuration,
  };
  return TCB_STATUSES.filter((status) => passes[status] === true);
}

const PLAIN = /^(?:export\s+)?([A-Z][A-Z0-9_]*)=(?:"([^"]*)"|'([^']*)'|([^\s"'#]*))\s*(?:#.*)?$/;
const LOADER = /^loader\.env\.([A-Z][A-Z0-9_]*)\s*=\s*(?:"([^"\\]*)"|'([^']*)')\s*(?:#.*)?$/;
const CONCERNED = /^(?:RA_TLS_|SECRET_PROVISION_)/;
/** A line that sets one of our variables in a way that is not understood must not be passed over. */
const MENTION = /\b(?:RA_TLS_|SECRET_PROVISION_)[A-Z]/;

/** @throws CliError FORMAT_MALFORMED for two values of one variable, and where there is none at all */
function readVariables(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line.startsWith('#') || !MENTION.test(line)) continue;
    const [, name, double, single, bare] = PLAIN.exec(line) ?? LOADER.exec(line) ?? [];
    if (name === undefined) throw malformed(`line ${index + 1} is not NAME=value`);
    if (!CONCERNED.test(name)) continue;
    if (found.has(name)) throw malformed(`${name} is set twice`);
    found.set(name, double ?? single ?? bare ?? '');
  }
  if (found.size === 0) throw malformed('it sets no RA_TLS_ variable');
  return found;
}
