/** What a template is made of; `text` of each is as Go prints it in error messages. Positions are octets from the beginning. */
export type Node = TextNode | ActionNode | BranchNode | LoopControlNode;

export interface TextNode {
  readonly kind: 'text';
  readonly text: string;
}
export interface ActionNode {
  readonly kind: 'action';
  readonly pipe: Pipe;
}
export interface BranchNode {
  readonly kind: 'if' | 'with' | 'range';
  readonly pipe: Pipe;
  readonly body: readonly Node[];
  readonly otherwise: readonly Node[];
}
export interface LoopControlNode {
  readonly kind: 'break' | 'continue';
}

export interface Pipe {
  readonly kind: 'pipe';
  readonly at: number;
  /** Variables that are declared or assigned. */
  readonly variables: readonly string[];
  readonly assigns: boolean;
  readonly commands: readonly Command[];
}

export interface Command {
  readonly at: number;
  readonly args: readonly Term[];
}

export type Term =
  | { readonly kind: 'identifier'; readonly at: number; readonly name: string }
  | { readonly kind: 'field'; readonly at: number; readonly path: readonly string[] }
  | {
      readonly kind: 'variable';
      readonly at: number;
      readonly name: string;
      readonly path: readonly string[];
    }
  | { readonly kind: 'chain'; readonly at: number; readonly of: Term; readonly path: readonly string[] }
  | { readonly kind: 'dot'; readonly at: number }
  | { readonly kind: 'nil'; readonly at: number }
  | {
      readonly kind: 'constant';
      readonly at: number;
      readonly value: string | bigint | number | boolean;
      readonly text: string;
    }
  | Pipe;

export function termText(term: Term): string {
  switch (term.kind) {
    case 'identifier':
      return term.name;
    case 'field':
      return fields(term.path);
    case 'variable':
      return term.name + fields(term.path);
    case 'chain':
      return `${term.of.kind === 'pipe' ? `(${pipeText(term.of)})` : termText(term.of)}${fields(term.path)}`;
    case 'dot':
      return '.';
    case 'nil':
      return 'nil';
    case 'constant':
      return term.text;
    case 'pipe':
      return `(${pipeText(term)})`;
  }
}

export const commandText = ({ args }: Command): string => args.map(termText).join(' ');

export const pipeText = ({ variables, assigns, commands }: Pipe): string =>
  (variables.length > 0 ? `${variables.join(', ')} ${assigns ? '=' : ':='} ` : '') +
  commands.map(commandText).join(' | ');

const fields = (path: readonly string[]): string => path.map((name) => `.${name}`).join('');
