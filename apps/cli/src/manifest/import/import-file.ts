import { lintManifest } from '#policy';
import { stringify } from 'yaml';
import { CliError } from '../../failure/cli-error.js';
import { readWhole } from '../../input/bounded-input.js';
import { printable } from '../../terminal/layout.js';
import { styleFor } from '../../terminal/style.js';
import type { Terminal } from '../../terminal/terminal.js';
import type { ImportLine } from './importer.js';
import { IMPORTERS } from './importers.js';

export interface ImportOptions {
  readonly workload: string;
  readonly by: string;
  readonly accept: readonly string[];
  /** `NAME=VALUE`, for templates. */
  readonly value?: readonly string[];
  readonly json?: true;
}

/** `siegel manifest import`. Gives 1 as long as something is weakened or unsupported that was not accepted by name. */
export async function importFile(
  kind: string,
  file: string,
  options: ImportOptions,
  terminal: Terminal,
): Promise<number> {
  const importer = Object.hasOwn(IMPORTERS, kind) ? IMPORTERS[kind] : undefined;
  if (!importer) {
    throw CliError.of('USAGE', `"${kind}" cannot be imported; known: ${Object.keys(IMPORTERS).join(', ')}.`);
  }
  if (options.by !== 'enclave' && options.by !== 'signer')
    throw CliError.of('USAGE', '--by is "enclave" or "signer".');
  const read = importer.read(await readWhole(file, importer.maxBytes, terminal), {
    by: options.by,
    values: valuesOf(options.value ?? []),
  });
  const workloads = [...(read.workload === undefined ? [] : [read.workload]), ...(read.further ?? [])];
  const names = workloads.map((_, at) => (at === 0 ? options.workload : `${options.workload}-${at + 1}`));
  const manifest = {
    siegel: 'v1',
    workloads: Object.fromEntries(workloads.map((workload, at) => [names[at], workload])),
  };
  const report = [...read.report, ...faultsOf(manifest)];
  const open = report.filter(({ path, result }) => result !== 'mapped' && !options.accept.includes(path));
  if (options.json) terminal.out(`${JSON.stringify({ manifest, report })}\n`);
  else {
    terminal.out(stringify(manifest));
    terminal.err(`${reportLines(report, options.accept, terminal.colour)}\n`);
  }
  return open.length === 0 ? 0 : 1;
}

function valuesOf(pairs: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    pairs.map((pair) => {
      const [, name, value] = /^([^=]+)=([^]*)$/.exec(pair) ?? [];
      if (name === undefined || value === undefined) throw CliError.of('USAGE', '--value is NAME=VALUE.');
      return [name, value];
    }),
  );
}

/** Errors of the manifest itself, such as a rule by a signer whose key is public: it could not be set. */
function faultsOf(manifest: object): ImportLine[] {
  return lintManifest(JSON.stringify(manifest))
    .problems.filter(({ severity }) => severity === 'error')
    .map(({ path, code, message }) => ({ path, result: 'unsupported', note: `${code}: ${message}` }));
}

function reportLines(report: readonly ImportLine[], accept: readonly string[], colour: boolean): string {
  const style = styleFor(colour);
  return report
    .map(({ path, result, note }) => {
      const shown = result === 'mapped' ? style.good(result) : style.bad(result);
      const taken = result !== 'mapped' && accept.includes(path) ? ' (accepted)' : '';
      return `${shown} ${printable(path)}: ${printable(note)}${taken}`;
    })
    .join('\n');
}
