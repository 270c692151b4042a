import { type DigestKind, fieldDigestOf, type FieldTerm, fieldTermOf } from './term-kinds.js';

/** A field of events, and how it is indexed: by its own kind of term or digest, or as one of the others. */
export interface WalkedField {
  readonly path: string;
  readonly term: FieldTerm | undefined;
  readonly digest: DigestKind | undefined;
}

interface Node extends WalkedField {
  readonly members: Map<string, Node>;
}

/** Events are of strict schemas; whatever else has members without end is indexed as far as this. */
const MAX_FIELDS = 5_000;

const root: Node = { path: '', term: undefined, digest: undefined, members: new Map() };
let fields = 0;

/** Every value that a field of the event has, as `fieldValues` gives them. */
export function walkFields(event: object, visit: (field: WalkedField, value: string) => void): void {
  walkMembers(event, root, visit);
}

function walkMembers(value: object, node: Node, visit: (field: WalkedField, value: string) => void): void {
  for (const [name, member] of Object.entries(value) as [string, unknown][]) {
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
  fields++;
  const path = node.path === '' ? name : `${node.path}.${name}`;
  const field = {
    path,
    term: fieldTermOf(path),
    digest: fieldDigestOf(path),
    members: new Map<string, Node>(),
  };
  node.members.set(name, field);
  return field;
}
