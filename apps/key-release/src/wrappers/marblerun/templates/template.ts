import { BUILTINS } from './builtins.js';
import { evaluate } from './evaluation.js';
import type { Node } from './nodes.js';
import { parse } from './parser.js';
import { collectReferences, type References } from './references.js';
import { ENV_FUNCTIONS, FILE_FUNCTIONS } from './secret-functions.js';
import type { Value } from './values.js';

export type ParameterKind = 'file' | 'env';

/** Name of every template of a manifest in messages. */
const NAME = 'data';
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
    this.nodes = this.source.includes('{{') ? parse(this.source, NAME, CALLABLE[kind]) : NOTHING;
  }

  /** @throws TemplateError */
  render(data: Value): Buffer {
    if (this.nodes === NOTHING) return Buffer.from(this.source, 'latin1');
    const source = { name: NAME, source: this.source, functions: FUNCTIONS[this.kind] };
    return Buffer.from(evaluate(this.nodes, source, data), 'latin1');
  }

  collect(into: References): void {
    collectReferences(this.nodes, into);
  }
}
