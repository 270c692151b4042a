import { z } from 'zod';
import type { PathStep } from '../problem.js';

/** The schemas that may stand at a path of a document, with optional and union layers removed. */
export function schemasAt(root: z.ZodType, path: readonly PathStep[]): z.ZodType[] {
  let current = unwrap(root);
  for (const step of path) {
    current = current.flatMap((schema) => {
      if (schema instanceof z.ZodObject) {
        const inner = Object.hasOwn(schema.shape, step)
          ? (schema.shape as Record<string, z.ZodType>)[step]
          : undefined;
        return inner ? unwrap(inner) : [];
      }
      if (schema instanceof z.ZodArray)
        return typeof step === 'number' ? unwrap(schema.element as z.ZodType) : [];
      if (schema instanceof z.ZodRecord) return unwrap(schema.valueType as z.ZodType);
      return [];
    });
  }
  return current;
}

/** Keys that a mapping at a path may have. */
export function keysAt(root: z.ZodType, path: readonly PathStep[]): string[] {
  return schemasAt(root, path).flatMap((schema) =>
    schema instanceof z.ZodObject ? Object.keys(schema.shape) : [],
  );
}

/** Sections directly inside the mapping at a path that know `key`: for keys written one level too high. */
export function sectionKnowing(root: z.ZodType, path: readonly PathStep[], key: string): string | undefined {
  return keysAt(root, path).find((section) => keysAt(root, [...path, section]).includes(key));
}

function unwrap(schema: z.ZodType): z.ZodType[] {
  if (schema instanceof z.ZodOptional) return unwrap(schema.unwrap() as z.ZodType);
  if (schema instanceof z.ZodUnion) return (schema.options as z.ZodType[]).flatMap(unwrap);
  return [schema];
}
