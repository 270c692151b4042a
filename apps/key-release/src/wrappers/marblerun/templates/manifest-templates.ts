import { CoordinatorError } from '../coordinator-error.js';
import type { Manifest, Marble, ParameterValue } from '../interface.js';
import type { References } from './references.js';
import { Template, type ParameterKind } from './template.js';
import { dryRunData } from './template-data.js';
import { TemplateError, text } from './template-error.js';

/** The parameters of one marble, parsed. */
export interface MarbleTemplates {
  /** By path. */
  readonly files: readonly (readonly [string, Template | Buffer])[];
  /** By name. */
  readonly env: readonly (readonly [string, Template | Buffer])[];
  /** Secrets that the templates and the TLS tags may touch, by name. */
  readonly references: References;
  /** Those of them that files touch, of the previous cycle as `Previous.NAME`. */
  readonly inFiles: ReadonlySet<string>;
}

const compiled = new WeakMap<Marble, MarbleTemplates>();

/** Parsed once for as long as the manifest is in force. @throws TemplateError where one cannot be parsed, which no manifest in force has */
export function templatesOf(marble: Marble, manifest: Manifest): MarbleTemplates {
  const known = compiled.get(marble);
  if (known) return known;
  const references: References = { secrets: new Set(), previous: new Set(), all: false };
  const octetNames: References = { secrets: new Set(), previous: new Set(), all: false };
  const parsed = (values: ReadonlyMap<string, ParameterValue>, kind: ParameterKind) =>
    [...values].map(([name, { data, template }]) => {
      if (!template) return [name, data] as const;
      const made = new Template(data, kind);
      made.collect(octetNames);
      return [name, made] as const;
    });
  const files = parsed(marble.parameters.files, 'file');
  const inFiles = new Set([
    ...[...octetNames.secrets].map(text),
    ...[...octetNames.previous].map((name) => `Previous.${text(name)}`),
  ]);
  const env = parsed(marble.parameters.env, 'env');
  for (const name of octetNames.secrets) references.secrets.add(text(name));
  for (const name of octetNames.previous) references.previous.add(text(name));
  references.all = octetNames.all;
  for (const tag of marble.tls)
    for (const { cert } of manifest.tls.get(tag)?.incoming ?? [])
      if (cert !== '') references.secrets.add(cert);
  const made = { files, env, references, inFiles };
  compiled.set(marble, made);
  return made;
}

/**
 * Runs every template of every marble with dummy values, so that a bad one is refused before it is in force.
 * @throws CoordinatorError MANIFEST_INVALID with upstream's message
 */
export function dryRun(manifest: Manifest): void {
  const data = dryRunData(manifest);
  for (const [type, marble] of manifest.marbles) {
    const { files, env } = marble.parameters;
    const all = [
      ...[...files].map(([name, value]) => ({ where: `file ${name}`, value, kind: 'file' as const })),
      ...[...env].map(([name, value]) => ({ where: `env variable ${name}`, value, kind: 'env' as const })),
    ];
    for (const { where, value, kind } of all) {
      if (!value.template) continue;
      try {
        new Template(value.data, kind).render(data);
      } catch (error) {
        if (!(error instanceof TemplateError)) throw error;
        throw new CoordinatorError(
          'MANIFEST_INVALID',
          `running manifest template dry run: in Marble ${type}: ${where}: ${error.message}`,
          { cause: error },
        );
      }
    }
  }
}
