import type { Manifest, Marble, ParameterValue } from '../model.js';
import type { References } from './references.js';
import { Template, type ParameterKind } from './template.js';
import { text } from './template-error.js';

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

/** Parsed once for each manifest that is read. @throws TemplateError where one cannot be parsed, which no manifest in force has */
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
