import { type Expression, type SqlBool, sql } from 'kysely';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { digestedFactOf, namedFactOf } from '../index/facts.js';
import { type FieldFilter, hasFields } from '../index/field-values.js';
import { DICTIONARIES, type Dictionary } from '../index/index-database.js';
import { type IndexedEvent, sessionDigest, valueDigest } from '../index/indexed-fields.js';
import { matchAll, wordsOf } from '../index/reason-words.js';
import type { ScopedFilters } from './query-schema.js';

/** Positions above `above`, up to and including `upTo`. */
export interface Window {
  above: number;
  upTo: number;
}

/** How a query is answered. */
export interface SearchPlan {
  within: (window: Window) => Expression<SqlBool>[];
  /** One index has all conditions. */
  covered: boolean;
  /** What the index cannot decide alone: fields that it does not have, or only by a digest. */
  confirm: ((event: IndexedEvent) => boolean) | undefined;
  /** Some fields are nowhere in the index, so that many candidates may be no match. */
  residual: boolean;
}

/** Filters from the most to the least selective, as experience has it: the first one given chooses the index. */
const BY_SELECTIVITY = ['reason', 'mrenclave', 'workload', 'type', 'outcome', 'tenant'] as const;
const FILTER_OF: Readonly<Record<Dictionary, (typeof BY_SELECTIVITY)[number] | 'emitter' | 'tcbStatus'>> = {
  tenant: 'tenant',
  type: 'type',
  outcome: 'outcome',
  reason: 'reason',
  workload: 'workload',
  mrenclave: 'mrenclave',
  emitter: 'emitter',
  tcb: 'tcbStatus',
};

/** Turns filters into conditions on the index, and says which of its B-trees is to be used. */
export class SearchPlanner {
  readonly #nameId: StatementSync;

  constructor(index: DatabaseSync) {
    this.#nameId = index.prepare('SELECT id FROM names WHERE kind = ? AND value = ?');
  }

  /** Undefined if a filter names something that no event has. */
  plan(filters: ScopedFilters): SearchPlan | undefined {
    const { session, fields = [] } = filters;
    const digests = [
      ...(session === undefined ? [] : [['session', sessionDigest(session)] as const]),
      ...fields.flatMap(({ path, value }) => {
        const column = digestedFactOf(path);
        return column === undefined ? [] : [[column, valueDigest(value)] as const];
      }),
    ];
    // The unary plus keeps SQLite from choosing a column's index: without statistics it guesses.
    const conditions: Expression<SqlBool>[] = digests.map(([column, digest], i) =>
      i === 0 ? sql`${sql.ref(column)} = ${digest}` : sql`+${sql.ref(column)} = ${digest}`,
    );
    const driver =
      digests.length > 0 ? undefined : BY_SELECTIVITY.find((name) => filters[name] !== undefined);
    const composite = driver === 'mrenclave' || driver === 'workload' || driver === 'type';
    for (const name of DICTIONARIES) {
      const value = filters[FILTER_OF[name]];
      if (value === undefined) continue;
      const id = this.#idOf(name, value);
      if (id === undefined) return undefined;
      const indexed = name === driver || (name === 'outcome' && composite);
      conditions.push(indexed ? sql`${sql.ref(name)} = ${id}` : sql`+${sql.ref(name)} = ${id}`);
    }
    const named = this.#namedFacts(fields);
    const confined = this.#confined(filters.tenants);
    if (named === undefined || confined === undefined) return undefined;
    conditions.push(...named, ...confined);
    const byIndex =
      digests.length > 0 ? 1 : driver === undefined ? 0 : filters.outcome !== undefined && composite ? 2 : 1;
    const unsure = fields.some(({ path }) => !namedFactOf(path));
    const confirm =
      session === undefined && !unsure
        ? undefined
        : (event: IndexedEvent) =>
            (session === undefined || event.session === session) && hasFields(event, fields);
    const residual = fields.some(({ path }) => !namedFactOf(path) && !digestedFactOf(path));
    if (filters.text === undefined)
      return {
        within: () => conditions,
        covered: conditions.length === byIndex && !residual,
        confirm,
        residual,
      };
    const match = matchAll(wordsOf(filters.text));
    // The window is given to the full-text index as well: a frequent word's whole list would be read for each.
    const within = ({ above, upTo }: Window): Expression<SqlBool>[] => [
      ...conditions,
      sql<SqlBool>`pos IN (SELECT rowid FROM reasons WHERE reasons MATCH ${match} AND rowid > ${above} AND rowid <= ${upTo})`,
    ];
    return { within, covered: false, confirm, residual };
  }

  /** Conditions on the fields that the index knows by name; undefined if no event has one of the values. */
  #namedFacts(fields: readonly FieldFilter[]): Expression<SqlBool>[] | undefined {
    const conditions: Expression<SqlBool>[] = [];
    for (const { path, value } of fields) {
      const column = namedFactOf(path);
      if (column === undefined) continue;
      const id = this.#idOf(column, value);
      if (id === undefined) return undefined;
      conditions.push(sql`+${sql.ref(column)} = ${id}`);
    }
    return conditions;
  }

  /** The condition that keeps a search to some tenants; undefined if none of them has an event. */
  #confined(tenants: readonly string[] | undefined): Expression<SqlBool>[] | undefined {
    if (tenants === undefined) return [];
    const ids = tenants.map((tenant) => this.#idOf('tenant', tenant)).filter((id) => id !== undefined);
    return ids.length === 0 ? undefined : [sql`+tenant IN (${sql.join(ids)})`];
  }

  #idOf(kind: string, value: string): number | undefined {
    return (this.#nameId.get(kind, value) as { id: number } | undefined)?.id;
  }
}
