import type { Node, Pipe, Term } from './nodes.js';

/** Which secrets a template may touch; `all` where that depends on values at run time. */
export interface References {
  readonly secrets: Set<string>;
  readonly previous: Set<string>;
  all: boolean;
}

/**
 * Finds `.Secrets.NAME`, `index .Secrets "NAME"`, `.Previous.Secrets.NAME` and the same from `$`. Inside `with` and `range` the dot is
 * another value, so that whatever begins with it there is traced back to where that value came from. Anything less plain counts as all.
 */
export function collectReferences(nodes: readonly Node[], into: References): void {
  visit(nodes, into, true);
}

/** @param top whether the dot is the data of the template */
function visit(nodes: readonly Node[], into: References, top: boolean): void {
  for (const node of nodes) {
    if (node.kind === 'action') pipe(node.pipe, into, top);
    if (node.kind === 'if' || node.kind === 'with' || node.kind === 'range') {
      pipe(node.pipe, into, top);
      visit(node.body, into, top && node.kind === 'if');
      visit(node.otherwise, into, top);
    }
  }
}

function pipe({ commands }: Pipe, into: References, top: boolean): void {
  for (const { args } of commands) {
    const [called, of, key] = args;
    const indexed =
      called?.kind === 'identifier' &&
      called.name === 'index' &&
      of &&
      key?.kind === 'constant' &&
      typeof key.value === 'string'
        ? mapOf(of, into, top)
        : undefined;
    if (indexed) indexed.add((key as { value: string }).value);
    for (const term of indexed ? args.slice(3) : args) visitTerm(term, into, top);
  }
}

function visitTerm(term: Term, into: References, top: boolean): void {
  if (term.kind === 'pipe') return pipe(term, into, top);
  if (term.kind === 'chain') return visitTerm(term.of, into, top);
  const path = rootPath(term, top);
  if (!path) return;
  const previous = path[0] === 'Previous';
  const [map, name] = previous ? path.slice(1) : path;
  // The whole data, all secrets, or what came before as a whole: what becomes of it is not followed.
  if (map === undefined || (map === 'Secrets' && name === undefined)) into.all = true;
  else if (map === 'Secrets') (previous ? into.previous : into.secrets).add(name!);
}

/** The set to which a literal index of this term belongs. */
function mapOf(term: Term, into: References, top: boolean): Set<string> | undefined {
  const path = rootPath(term, top)?.join('.');
  return path === 'Secrets' ? into.secrets : path === 'Previous.Secrets' ? into.previous : undefined;
}

/** Members from the data of the template on; undefined for what does not begin there. */
function rootPath(term: Term, top: boolean): readonly string[] | undefined {
  if (term.kind === 'variable') return term.name === '$' ? term.path : undefined;
  if (!top) return undefined;
  if (term.kind === 'dot') return [];
  return term.kind === 'field' ? term.path : undefined;
}
