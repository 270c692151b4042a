import { BUILTINS } from './builtins.js';
import { evaluate, type Tally } from './evaluation.js';
import type { Node } from './nodes.js';
import { parse } from './parser.js';
import { collectReferences, type References } from './references.js';
import { ENV_FUNCTIONS, FILE_FUNCTIONS } from './secret-functions.js';
import { TemplateError } from './template-error.js';
import type { Value } from './values.js';

export type ParameterKind = 'file' | 'env';

/** Name of every template of a manifest in messages. */
const NAME = 'data';
/** Far beyond any configuration file, and parsed within milliseconds. */
const MAX_ACTIONS = 4_096;
const NOTHING: readonly Node[] = [];
const FUNCTIONS = { file: FILE_FUNCTIONS, env: ENV_FUNCTIONS };
const CALLABLE = {
  file: new Set([...Object.keys(BUILTINS), ...Object.keys(FILE_FUNCTIONS)]),
  env: new Set([...Object.keys(BUILTINS), ...Object.keys(ENV_FUNCTIONS)]),
};

/** One parameter of a marble, parsed once for all activations. */
export class Template {
  private readonly nodes: readonly Node[];
  private readonly source: string;

  /** @throws TemplateError */
  constructor(
    data: Buffer,
    private readonly kind: ParameterKind,
  ) {
    this.source = data.toString('latin1');
    if (actionsIn(this.source) > MAX_ACTIONS)
      throw new TemplateError(`template: ${NAME}: more than ${MAX_ACTIONS} actions`);
    this.nodes = this.source.includes('{{') ? parse(this.source, NAME, CALLABLE[kind]) : NOTHING;
  }

  /** @throws TemplateError */
  render(data: Value, tally?: Tally): Buffer {
    if (this.nodes === NOTHING) return Buffer.from(this.source, 'latin1');
    const source = { name: NAME, source: this.source, functions: FUNCTIONS[this.kind] };
    return Buffer.from(evaluate(this.nodes, source, data, tally), 'latin1');
  }

  collect(into: References): void {
    collectReferences(this.nodes, into);
  }
}

/** Openings of actions; those in comments and strings count too, as a bound must be cheaper than parsing. */
function actionsIn(source: string): number {
  let count = 0;
  for (let at = source.indexOf('{{'); at !== -1 && count <= MAX_ACTIONS; at = source.indexOf('{{', at + 2))
    count++;
  return count;
}
