import { DIGESTED_FACTS } from '../index/facts.js';
import { fieldValues } from '../index/field-values.js';
import type { PositionPage, PositionQuery } from './event-reader.js';
import type { LoggedEvent, ScopedFilters } from './query-schema.js';

/** Searches as the reader does. */
export type Search = (query: PositionQuery) => Promise<PositionPage>;

/** What an enclave is known by; one of them. */
export type EnclaveName =
  { session: string } | { boundKey: string } | { mrenclave: string; platform: string };

/** Sessions, keys and quotes that one story may hang together by. */
const MAX_LINKS = 256;
/** Events that one story may have. */
const MAX_EVENTS = 5_000;
const PAGE = 500;

const SESSION = 'session';
const BOUND_KEY = DIGESTED_FACTS.bound_key;
const EVIDENCE = DIGESTED_FACTS.evidence;
/** Events that let something out. */
const RELEASES = new Set(['attestation.granted', 'release.granted', 'key.released']);
const MAX_VALUES = 64;

/** One event as the summary names it. */
export interface StoryPoint {
  position: number;
  index: number;
  loggedAt: string;
  id: string;
  type: string;
}

export interface StorySummary {
  events: number;
  /** False if there is more than a story may have. */
  complete: boolean;
  firstAttestation: StoryPoint | null;
  lastRelease: StoryPoint | null;
  /** The last end of a session by revocation. */
  lastRevocation: StoryPoint | null;
  byType: Record<string, number>;
  tenants: string[];
  workloads: string[];
  mrenclave: string[];
  mrsigner: string[];
  platforms: string[];
  boundKeys: string[];
  sessions: string[];
  simulated: boolean;
  /** TCB statuses in the order in which they first showed. */
  tcbStatus: { status: string; since: string }[];
  /** What it received, each version once. */
  received: {
    vault: string;
    objectName: string;
    objectType: string;
    version: string;
    first: string;
    last: string;
  }[];
}

/**
 * All events of one enclave, in the order of the log: what its sessions, its bound keys and its quotes are named in. Every event
 * that is found may name further ones, so that an enclave that attested again keeps its story.
 * @param scope confines it to the tenants that the caller may see
 */
export async function enclaveStory(
  name: EnclaveName,
  scope: Pick<ScopedFilters, 'tenant' | 'tenants'>,
  search: Search,
): Promise<{ events: LoggedEvent[]; complete: boolean }> {
  const found = new Map<number, LoggedEvent>();
  const links = new Map<string, ScopedFilters>();
  let complete = true;
  const link = (key: string, filters: ScopedFilters): void => {
    if (links.has(key)) return;
    if (links.size >= MAX_LINKS) complete = false;
    else links.set(key, { ...filters, ...scope });
  };
  if ('session' in name) link(`${SESSION}/${name.session}`, { session: name.session });
  else if ('boundKey' in name) link(`${BOUND_KEY}/${name.boundKey}`, byField(BOUND_KEY, name.boundKey));
  else {
    const fields = [{ path: DIGESTED_FACTS.platform, value: name.platform }];
    link('enclave', { mrenclave: name.mrenclave, fields });
  }
  // A Map is walked in the order of insertion, entries that are added on the way included.
  for (const filters of links.values()) {
    let after: number | undefined;
    for (let more = true; more;) {
      const page = await search({ filters, order: 'oldest', after, limit: PAGE });
      for (const event of page.events) {
        found.set(event.position, event);
        for (const session of fieldValues(event.event, SESSION)) link(`${SESSION}/${session}`, { session });
        for (const path of [BOUND_KEY, EVIDENCE])
          for (const value of fieldValues(event.event, path)) link(`${path}/${value}`, byField(path, value));
      }
      ({ more, searchedTo: after } = page);
      if (found.size > MAX_EVENTS) {
        complete = false;
        break;
      }
    }
    if (found.size > MAX_EVENTS) break;
  }
  const events = [...found.values()].sort((a, b) => a.position - b.position).slice(0, MAX_EVENTS);
  return { events, complete };
}

/** What a story comes down to. */
export function summaryOf(events: readonly LoggedEvent[], complete: boolean): StorySummary {
  const byType: Record<string, number> = {};
  const tcb = new Map<string, string>();
  const received = new Map<string, StorySummary['received'][number]>();
  for (const { event, loggedAt } of events) {
    byType[event.type] = (byType[event.type] ?? 0) + 1;
    const status = fieldValues(event, event.type === 'session.reappraised' ? 'data.after' : 'tcbStatus')[0];
    if (status !== undefined && !tcb.has(status)) tcb.set(status, loggedAt);
    if (RELEASES.has(event.type)) for (const grant of grantsOf(event)) receive(received, grant, loggedAt);
  }
  const values = (path: string): string[] =>
    [...new Set(events.flatMap(({ event }) => fieldValues(event, path)))].slice(0, MAX_VALUES);
  return {
    events: events.length,
    complete,
    firstAttestation: pointOf(events.find(({ event }) => event.type.startsWith('attestation.'))),
    lastRelease: pointOf(events.findLast(({ event }) => RELEASES.has(event.type))),
    lastRevocation: pointOf(events.findLast(({ event }) => event.type === 'session.revoked')),
    byType,
    tenants: values('tenant'),
    workloads: values('workload'),
    mrenclave: values('mrenclave'),
    mrsigner: values('mrsigner'),
    platforms: values(DIGESTED_FACTS.platform),
    boundKeys: values(BOUND_KEY),
    sessions: values(SESSION),
    simulated: values('simulated').includes('true'),
    tcbStatus: [...tcb].map(([status, since]) => ({ status, since })),
    received: [...received.values()],
  };
}

const byField = (path: string, value: string): ScopedFilters => ({ fields: [{ path, value }] });

interface Grant {
  vault: string;
  objectName: string;
  objectType: string;
  version: string;
}

function grantsOf(event: LoggedEvent['event']): Grant[] {
  const data = event['data'] as (Partial<Grant> & { grants?: Grant[] }) | undefined;
  if (event.type !== 'key.released') return data?.grants ?? [];
  const { vault = '', objectName = '', version = '' } = data ?? {};
  return [{ vault, objectName, objectType: 'secret', version }];
}

function receive(into: Map<string, StorySummary['received'][number]>, grant: Grant, at: string): void {
  const { vault, objectName, objectType, version } = grant;
  const key = JSON.stringify([vault, objectName, objectType, version]);
  const known = into.get(key);
  if (known) known.last = at;
  else if (into.size < MAX_VALUES * 4)
    into.set(key, { vault, objectName, objectType, version, first: at, last: at });
}

const pointOf = (found: LoggedEvent | undefined): StoryPoint | null =>
  found
    ? {
        position: found.position,
        index: found.index,
        loggedAt: found.loggedAt,
        id: found.event.id,
        type: found.event.type,
      }
    : null;
