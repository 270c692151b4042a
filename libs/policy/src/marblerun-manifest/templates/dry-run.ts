import type { Manifest } from '../model.js';
import { Template } from './template.js';
import { dryRunData } from './template-data.js';
import { TemplateError } from './template-error.js';

/** For all templates of a manifest together: a second's work at most, and far more than any manifest needs. */
const MAX_STEPS = 500_000;
const MAX_OCTETS = 64 * 1024 * 1024;

/** A template that would fail whenever its marble comes. */
export interface TemplateFault {
  /** As upstream says it. */
  readonly message: string;
  /** Names from the top: `Marbles`, `m`, `Parameters`, `Env`, `NAME`. */
  readonly path: readonly string[];
  readonly cause: TemplateError;
  /** Octets from the beginning of the template, where that is known. */
  readonly at: number | undefined;
  /** What the writer most likely meant. */
  readonly suggestion: string | undefined;
}

/**
 * Runs every template of every marble with dummy values, in the manifest's order: what fails here would fail at an activation.
 * Source: reference marblerun.md §1.3.
 */
export function* templateFaults(manifest: Manifest): Generator<TemplateFault> {
  const data = dryRunData(manifest);
  const tally = { steps: 0, octets: 0 };
  for (const [type, { parameters }] of manifest.marbles) {
    const all = [
      { values: parameters.files, member: 'Files', kind: 'file', word: 'file' },
      { values: parameters.env, member: 'Env', kind: 'env', word: 'env variable' },
    ] as const;
    for (const { values, member, kind, word } of all) {
      for (const [name, value] of values) {
        if (!value.template) continue;
        const path = ['Marbles', type, 'Parameters', member, name];
        const fault = (cause: TemplateError): TemplateFault => {
          const { at, suggestion } = cause.place;
          return {
            message: `in Marble ${type}: ${word} ${name}: ${cause.message}`,
            path,
            cause,
            at,
            suggestion,
          };
        };
        try {
          new Template(value.data, kind).render(data, tally);
        } catch (cause) {
          if (!(cause instanceof TemplateError)) throw cause;
          yield fault(cause);
        }
        if (tally.steps > MAX_STEPS || tally.octets > MAX_OCTETS) {
          const most = `${MAX_STEPS} steps and ${MAX_OCTETS} bytes`;
          yield fault(new TemplateError(`all templates up to this one need more than ${most}`));
          return;
        }
      }
    }
  }
}
