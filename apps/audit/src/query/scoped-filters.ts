import type { Action, Principal } from '../access/roles.js';
import { DIGESTED_FACTS, NAMED_FACTS } from '../index/facts.js';
import type { FieldFilter } from '../index/field-values.js';
import type { EventFilters, ScopedFilters } from './query-schema.js';

/** Parameters that are fields of their own name for the reader. */
const PATH_OF = {
  mrsigner: NAMED_FACTS.mrsigner,
  instance: NAMED_FACTS.instance,
  simulated: NAMED_FACTS.simulated,
  protocol: NAMED_FACTS.protocol,
  fmspc: NAMED_FACTS.fmspc,
  boundKey: DIGESTED_FACTS.bound_key,
  evidence: DIGESTED_FACTS.evidence,
  platform: DIGESTED_FACTS.platform,
} as const satisfies Partial<Record<keyof EventFilters, string>>;

/** Fields that have a filter of their own, which knows an index. */
const OWN_FILTER: Readonly<Record<string, keyof ScopedFilters>> = {
  tenant: 'tenant',
  type: 'type',
  outcome: 'outcome',
  workload: 'workload',
  mrenclave: 'mrenclave',
  tcbStatus: 'tcbStatus',
  session: 'session',
  'reason.code': 'reason',
  'emitter.name': 'emitter',
};

/**
 * The filters of a request as the reader takes them, confined to what the caller may see.
 * @throws SiegelError ADMIN_FORBIDDEN if they name a tenant of others
 */
export function scopedFilters(given: EventFilters, caller: Principal, action: Action): ScopedFilters {
  const filters: Record<string, unknown> = { ...given };
  const fields: FieldFilter[] = [];
  for (const [name, path] of Object.entries(PATH_OF)) {
    const value = filters[name];
    delete filters[name];
    if (value !== undefined) fields.push({ path, value: value as string });
  }
  delete filters['field'];
  for (const text of given.field ?? []) {
    const colon = text.indexOf(':');
    const [path, value] = [text.slice(0, colon), text.slice(colon + 1)];
    const own = OWN_FILTER[path];
    // Given twice with two values, both must hold: the second one is asked of the event itself.
    if (own !== undefined && filters[own] === undefined) filters[own] = value;
    else fields.push({ path, value });
  }
  const scoped = filters as ScopedFilters;
  return { ...scoped, fields, tenants: caller.scope(action, scoped.tenant) };
}
