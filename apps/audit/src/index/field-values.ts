/** That a field of an event has a value; where the field is in a list, that one of the list does. */
export interface FieldFilter {
  /** Dotted, for example `data.grants.objectName`. */
  path: string;
  /** As text: numbers in decimal, `true` and `false`. */
  value: string;
}

/** The values of a field as text, all of them where lists lie on its path. */
export function fieldValues(event: unknown, path: string): string[] {
  let values: unknown[] = [event];
  for (const name of path.split('.')) {
    values = values.flatMap((value) => {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return [];
      const member = (value as Record<string, unknown>)[name];
      return Array.isArray(member) ? (member as unknown[]) : [member];
    });
  }
  return values.filter((value) => typeof value !== 'object').map(String);
}

export const hasFields = (event: unknown, fields: readonly FieldFilter[]): boolean =>
  fields.every(({ path, value }) => fieldValues(event, path).includes(value));
