import { publicSigner } from '#policy';
import { type ImportChoices, type Imported, type ImportLine, malformed } from './importer.js';

/** What a SIGSTRUCT says about an enclave, whichever tool printed it. Hex in any case. */
export interface EnclaveDescription {
  readonly mrenclave: unknown;
  readonly mrsigner: unknown;
  readonly isvprodid: unknown;
  readonly isvsvn: unknown;
  readonly debug: unknown;
  readonly isvextprodid?: string;
  readonly isvfamilyid?: string;
}

/** Where each part stands in the source, for the report. */
export type SourceNames = Readonly<
  Record<'mrenclave' | 'mrsigner' | 'isvprodid' | 'isvsvn' | 'debug', string>
>;

/**
 * The identity of exactly this enclave, or of all builds by its signer from this security version on. @throws CliError
 * FORMAT_MALFORMED where a part is missing or no measurement
 */
export function identityOf(enclave: EnclaveDescription, names: SourceNames, { by }: ImportChoices): Imported {
  const mrenclave = measurement(enclave.mrenclave, names.mrenclave);
  const mrsigner = measurement(enclave.mrsigner, names.mrsigner);
  const isvprodid = version(enclave.isvprodid, names.isvprodid);
  const isvsvn = version(enclave.isvsvn, names.isvsvn);
  const reason = publicSigner(mrsigner);
  const report: ImportLine[] = [];
  const add = (path: string, result: ImportLine['result'], note: string): void =>
    void report.push({ path, result, note });

  if (by === 'enclave') add(names.mrenclave, 'mapped', 'identity.mrenclave: exactly this build');
  else add(names.mrenclave, 'weakened', 'every build by this signer is accepted, as --by signer asks for');
  const named = by === 'signer' || reason === undefined;
  if (named && reason === undefined) add(names.mrsigner, 'mapped', 'identity.mrsigner');
  else if (named) add(names.mrsigner, 'unsupported', `${reason}: no rule by this signer alone`);
  else add(names.mrsigner, 'mapped', `left out, as it says nothing: ${reason}`);
  add(names.isvprodid, 'mapped', 'identity.isvprodid');
  add(names.isvsvn, 'mapped', 'identity.isvsvn, the lowest accepted');
  if (enclave.debug === true) {
    add(
      names.debug,
      'unsupported',
      'signed as a debug enclave, which the manifest refuses; "debug: true" would let the host read its memory',
    );
  } else if (enclave.debug === false) add(names.debug, 'mapped', 'debug enclaves are refused');
  else throw malformed(`"${names.debug}" is neither true nor false`);
  const identity = {
    ...(by === 'enclave' ? { mrenclave: [mrenclave] } : {}),
    ...(named ? { mrsigner: [mrsigner] } : {}),
    isvprodid,
    isvsvn,
    ...(enclave.isvextprodid === undefined ? {} : { isvextprodid: [enclave.isvextprodid] }),
    ...(enclave.isvfamilyid === undefined ? {} : { isvfamilyid: [enclave.isvfamilyid] }),
  };
  return { workload: { identity }, report };
}

/** {@link identityOf} from a tool's flat output; `beside` are members that it prints and that need no rule. */
export function identityByNames(
  members: ReadonlyMap<string, unknown>,
  names: SourceNames,
  beside: ReadonlySet<string>,
  choices: ImportChoices,
): Imported {
  const { mrenclave, mrsigner, isvprodid, isvsvn, debug } = names;
  const { workload, report } = identityOf(
    {
      mrenclave: members.get(mrenclave),
      mrsigner: members.get(mrsigner),
      isvprodid: members.get(isvprodid),
      isvsvn: members.get(isvsvn),
      debug: members.get(debug),
    },
    names,
    choices,
  );
  const rest = [...members.keys()].filter((name) => !Object.values(names).includes(name));
  return {
    workload,
    report: [
      ...report,
      ...enforcedByProcessor(rest.filter((name) => beside.has(name))),
      ...unknownMembers(rest.filter((name) => !beside.has(name))),
    ],
  };
}

function measurement(value: unknown, name: string): string {
  if (typeof value === 'string' && /^[0-9a-f]{64}$/i.test(value)) return value.toLowerCase();
  throw malformed(`"${name}" is not 64 hexadecimal digits`);
}

function version(value: unknown, name: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 65_535) return value;
  throw malformed(`"${name}" is not a number from 0 to 65535`);
}

/** What a tool prints beside the identity. The processor enforces it at EINIT, by the same signature. */
export function enforcedByProcessor(names: Iterable<string>): ImportLine[] {
  return [...names].map((path) => ({
    path,
    result: 'mapped',
    note: 'no rule is needed: the processor starts the enclave only as it was signed',
  }));
}

export function unknownMembers(names: Iterable<string>): ImportLine[] {
  return [...names].map((path) => ({ path, result: 'unsupported', note: 'not known' }));
}
