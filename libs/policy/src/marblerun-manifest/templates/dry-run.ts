import type { Manifest } from '../model.js';
import { Template } from './template.js';
import { dryRunData } from './template-data.js';
import { TemplateError } from './template-error.js';

/** A template that would fail whenever its marble comes. */
export interface TemplateFault {
  /** As upstream says it. */
  readonly message: string;
  /** Names from the top: `Marbles`, `m`, `Parameters`, `Env`, `NAME`. */
  readonly path: readonly string[];
  readonly cause: TemplateError;
}

/**
 * Runs every template of every marble with dummy values, in the manifest's order: what fails here would fail at an activation.
 * Source: reference marblerun.md §1.3.
 */
export function* templateFaults(manifest: Manifest): Generator<TemplateFault> {
  const data = dryRunData(manifest);
  for (const [type, { parameters }] of manifest.marbles) {
    const all = [
      { values: parameters.files, member: 'Files', kind: 'file', word: 'file' },
      { values: parameters.env, member: 'Env', kind: 'env', word: 'env variable' },
    ] as const;
    for (const { values, member, kind, word } of all) {
      for (const [name, value] of values) {
        if (!value.template) continue;
        try {
          new Template(value.data, kind).render(data);
        } catch (cause) {
          if (!(cause instanceof TemplateError)) throw cause;
          const path = ['Marbles', type, 'Parameters', member, name];
          yield { message: `in Marble ${type}: ${word} ${name}: ${cause.message}`, path, cause };
        }
      }
    }
  }
}
