import type { LocatedDocument } from '../document/located.js';
import type { PathStep } from '../problem.js';
import { isMembers } from './fields.js';
import { wholePlaceholder } from './text/placeholder.js';

/** Values after splicing; fragments that name fragments could grow without bound. */
const MAX_VALUES = 20_000;
const MAX_DEPTH = 8;
/** Where the language takes fragments: whole sections, and lists of a service. */
const SECTIONS = ['security', 'access_policy'];
const LISTS = ['attestation', 'mrenclaves', 'platforms'];

/**
 * Puts the session's own fragments (`config-fragment` with a value) where it refers to them; lists are concatenated. Those of other sessions
 * stay references. Numbers in what is spliced become their texts, as they would be read. The data itself where there is nothing to splice,
 * or too much of it.
 */
export function spliceFragments(document: LocatedDocument): unknown {
  const { data } = document;
  if (!isMembers(data)) return data;
  const splicer = new Splicer(document);
  if (splicer.empty) return data;
  const spliced: Record<string, unknown> = { ...data };
  for (const key of SECTIONS) if (Object.hasOwn(data, key)) spliced[key] = splicer.value(data[key], [key], 0);
  const { services } = data;
  if (Array.isArray(services)) {
    spliced['services'] = services.map((service: unknown, index) => {
      if (!isMembers(service)) return service;
      const members: Record<string, unknown> = { ...service };
      for (const key of LISTS)
        if (Object.hasOwn(service, key))
          members[key] = splicer.value(service[key], ['services', index, key], 0);
      return members;
    });
  }
  return splicer.exhausted ? data : spliced;
}

class Splicer {
  private readonly fragments = new Map<string, { value: unknown; path: readonly PathStep[] }>();
  private values = 0;

  constructor(private readonly document: LocatedDocument) {
    const { secrets } = document.data as { secrets?: unknown };
    for (const [index, secret] of (Array.isArray(secrets) ? (secrets as unknown[]) : []).entries()) {
      if (!isMembers(secret) || secret['kind'] !== 'config-fragment' || secret['value'] === undefined)
        continue;
      const { name, value } = secret;
      if (typeof name === 'string' && !this.fragments.has(name))
        this.fragments.set(name, { value, path: ['secrets', index, 'value'] });
    }
  }

  get empty(): boolean {
    return this.fragments.size === 0;
  }

  get exhausted(): boolean {
    return this.values > MAX_VALUES;
  }

  value(value: unknown, path: readonly PathStep[], depth: number): unknown {
    if (++this.values > MAX_VALUES) return undefined;
    const fragment = depth < MAX_DEPTH ? this.named(value) : undefined;
    if (fragment) return this.value(fragment.value, fragment.path, depth + 1);
    if (typeof value === 'number') return this.document.node(path)?.source ?? String(value);
    if (Array.isArray(value))
      return value.flatMap((item: unknown, index) => {
        const spliced = this.value(item, [...path, index], depth);
        return this.named(item) && Array.isArray(spliced) ? (spliced as unknown[]) : [spliced];
      });
    if (!isMembers(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, this.value(inner, [...path, key], depth)]),
    );
  }

  private named(value: unknown) {
    const name = wholePlaceholder(value)?.name;
    return name === undefined ? undefined : this.fragments.get(name);
  }
}
