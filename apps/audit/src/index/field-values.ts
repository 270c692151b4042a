/** That a field of an event has a value; where the field is in a list, that one of the list does. */
export interface FieldFilter {
  /** Dotted, for example `data.grants.objectName`. */
  path: string;
  /** As text: numbers in decimal, `true` and `false`. */
  value: string;
}

/** A field and its value as one term of the index. */
export const namedValue = ({ path, value }: FieldFilter): string => `${path}:${value}`;

/** The other way round: no path has a colon. */
export function fieldOf(named: string): FieldFilter {
  const colon = named.indexOf(':');
  return { path: named.slice(0, colon), value: named.slice(colon + 1) };
}

/** The values of a field as text, all of them where lists lie on its path. */
export const fieldValues = (event: unknown, path: string): string[] => valuesAt(event, path.split('.'));

/** The same for a path that was split before. */
export function valuesAt(event: unknown, path: readonly string[]): string[] {
  let value = event;
  for (let i = 0; i < path.length; i++) {
    if (Array.isArray(value)) {
      const rest = path.slice(i);
      // A list in a list is no field.
      return value.flatMap((element) => (Array.isArray(element) ? [] : valuesAt(element, rest)));
    }
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, path[i]!)) return [];
    value = (value as Record<string, unknown>)[path[i]!];
  }
  if (Array.isArray(value))
    return value.filter((element) => typeof element !== 'object').map((element) => String(element));
  return typeof value === 'object' ? [] : [String(value)];
}

export const hasFields = (event: unknown, fields: readonly FieldFilter[]): boolean =>
  fields.every(({ path, value }) => fieldValues(event, path).includes(value));
