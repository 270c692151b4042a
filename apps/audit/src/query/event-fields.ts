import { AuditEvent } from '#contracts';
import { z } from 'zod';

interface SchemaNode {
  properties?: Record<string, SchemaNode>;
  items?: SchemaNode;
  oneOf?: SchemaNode[];
  anyOf?: SchemaNode[];
}

/** Every field that an event of any kind can have: from the schema itself, so that none is forgotten when a kind is added. */
export const EVENT_FIELDS: ReadonlySet<string> = (() => {
  const found = new Set<string>();
  const walk = (node: SchemaNode, path: string): void => {
    const choices = [...(node.oneOf ?? []), ...(node.anyOf ?? [])];
    for (const choice of choices) walk(choice, path);
    if (node.items) walk(node.items, path);
    else if (node.properties) {
      for (const [name, child] of Object.entries(node.properties))
        walk(child, path === '' ? name : `${path}.${name}`);
    } else if (choices.length === 0 && path !== '') found.add(path);
  };
  walk(z.toJSONSchema(AuditEvent, { unrepresentable: 'any' }) as SchemaNode, '');
  return found;
})();
