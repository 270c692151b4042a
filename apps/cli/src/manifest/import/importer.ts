import { CliError } from '../../failure/cli-error.js';

/**
 * What became of one thing in the source. `mapped`: it has its equal in the manifest, or no meaning there. `weakened`: the
 * manifest accepts more than the source did. `unsupported`: it is not in the manifest.
 */
export interface ImportLine {
  readonly path: string;
  readonly result: 'mapped' | 'weakened' | 'unsupported';
  readonly note: string;
}

/** Members of a workload, as they stand in a manifest. */
export type WorkloadMembers = Readonly<Record<string, unknown>>;

export interface Imported {
  /** Undefined where nothing of the source became one. */
  readonly workload: WorkloadMembers | undefined;
  /** Where one workload cannot say it all; they get the same name with a number. */
  readonly further?: readonly WorkloadMembers[];
  readonly report: readonly ImportLine[];
}

export interface ImportChoices {
  /** Which measurement of an enclave the identity names. */
  readonly by: 'enclave' | 'signer';
  /** What fills in the variables of a template. */
  readonly values: ReadonlyMap<string, string>;
}

/** Reads one kind of file. @throws CliError FORMAT_MALFORMED for a file that is not of the kind */
export interface Importer {
  /** For the help: `RA_TLS_… variables of a Gramine verifier`. */
  readonly what: string;
  readonly maxBytes: number;
  read(file: Buffer, choices: ImportChoices): Imported;
}

export function malformed(why: string): CliError {
  return CliError.of('FORMAT_MALFORMED', `The file is not of this kind: ${why}.`);
}

/** UTF-8 text without NUL. @throws CliError FORMAT_MALFORMED */
export function textOf(file: Buffer): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(file);
    if (!text.includes('\0')) return text;
  } catch {
    // Said below.
  }
  throw malformed('it is no text');
}
