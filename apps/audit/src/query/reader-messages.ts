import type { StoreSettings } from '../store/store-settings.js';
import type { CountCell, CountQuery, PositionPage, PositionQuery } from './event-reader.js';
import type { PackedEvents } from './packed-events.js';
import type { LoggedEvent } from './query-schema.js';

export interface ReaderData {
  store: StoreSettings;
}

/** What can be asked of the reader thread, with the answers' types. */
export interface ReaderCalls {
  search: { argument: PositionQuery; result: PositionPage };
  count: { argument: CountQuery; result: CountCell[] };
  byId: { argument: string; result: LoggedEvent | undefined };
  byLeaf: { argument: string; result: { log: string; index: number } | undefined };
  after: { argument: { position: number; limit: number }; result: PackedEvents };
}

export type ReaderRequest = {
  [Name in keyof ReaderCalls]: { call: number; name: Name; argument: ReaderCalls[Name]['argument'] };
}[keyof ReaderCalls];

/** The question asks for too much, the store is out of reach, or something is wrong here. */
export type ReaderFailure = 'too-much' | 'unreachable' | 'failed';

export type ReaderReply =
  { call: number; result: unknown } | { call: number; failure: string; kind: ReaderFailure };
