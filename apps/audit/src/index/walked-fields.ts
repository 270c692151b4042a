import { seedOf } from './digests.js';
import { type DigestKind, fieldDigestOf, type FieldTerm, fieldTermOf } from './term-kinds.js';

/** A field of events, and how it is indexed: by its own kind of term or digest, or as one of the others. */
export interface WalkedField {
  /** Counted from 0, by their first appearance in this process. */
  readonly number: number;
  readonly path: string;
  readonly term: FieldTerm | undefined;
  readonly digest: DigestKind | undefined;
  /** For digests of its values; 0 where they have a kind of their own. */
  readonly seed: number;
}

interface Node extends WalkedField {
  readonly members: Map<string, Node>;
}

/** Events are of strict schemas; whatever else has members without end is indexed as far as this. */
const MAX_FIELDS = 5_000;

const root: Node = {
  number: -1,
  path: '',
  term: undefined,
  digest: undefined,
  seed: 0,
  members: new Map(),
};
let fields = 0;

/** Every value that a field of the event has, as `fieldValues` gives them. */
export function walkFields(event: object, visit: (field: WalkedField, value: string) => void): void {
  walkMembers(event, root, visit);
}

function walkMembers(value: object, node: Node, visit: (field: WalkedField, value: string) => void): void {
  // Parsed JSON has no members but its own.
  for (const name in value) {
    const member = (value as Record<string, unknown>)[name];
    const field = node.members.get(name) ?? added(node, name);
    if (!field) continue;
    if (typeof member !== 'object') visit(field, String(member));
    else if (Array.isArray(member)) {
      for (const element of member as unknown[]) {
        if (typeof element !== 'object') visit(field, String(element));
        // A list in a list is no field.
        else if (element !== null && !Array.isArray(element)) walkMembers(element, field, visit);
      }
    } else if (member !== null) walkMembers(member, field, visit);
  }
}

function added(node: Node, name: string): Node | undefined {
  if (fields >= MAX_FIELDS) return undefined;
  const path = node.path === '' ? name : `${node.path}.${name}`;
  const digest = fieldDigestOf(path);
  const field = {
    number: fields++,
    path,
    term: fieldTermOf(path),
    digest,
    seed: digest === undefined ? seedOf(path) : 0,
    members: new Map<string, Node>(),
  };
  node.members.set(name, field);
  return field;
}
