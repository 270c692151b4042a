import { ocsfEvent } from './ocsf.js';
import type { LoggedEvent } from './query-schema.js';

const COLUMNS = [
  'position',
  'loggedAt',
  'log',
  'index',
  'id',
  'time',
  'tenant',
  'type',
  'outcome',
  'reason',
  'workload',
  'mrenclave',
  'mrsigner',
  'tcbStatus',
  'session',
  'simulated',
  'emitter',
] as const;

/** How an export is written. */
export interface ExportFormat {
  contentType: string;
  head: string;
  line: (event: LoggedEvent) => string;
  extension: string;
}

export const EXPORT_FORMATS: Readonly<Record<'ndjson' | 'csv' | 'ocsf', ExportFormat>> = {
  /** One LoggedEvent per line: nothing is lost, signatures can be checked. */
  ndjson: {
    contentType: 'application/x-ndjson; charset=utf-8',
    head: '',
    extension: 'ndjson',
    line: (event) => `${JSON.stringify(event)}\n`,
  },
  /** One event of the Open Cybersecurity Schema Framework per line. */
  ocsf: {
    contentType: 'application/x-ndjson; charset=utf-8',
    head: '',
    extension: 'ocsf.ndjson',
    line: (event) => `${JSON.stringify(ocsfEvent(event))}\n`,
  },
  /** RFC 4180, the fields that searches know. */
  csv: {
    contentType: 'text/csv; charset=utf-8; header=present',
    extension: 'csv',
    head: `${COLUMNS.join(',')}\r\n`,
    line: (event) => `${COLUMNS.map((column) => csvField(valueOf(event, column))).join(',')}\r\n`,
  },
};

function valueOf(logged: LoggedEvent, column: (typeof COLUMNS)[number]): unknown {
  switch (column) {
    case 'position':
    case 'loggedAt':
    case 'log':
    case 'index':
      return logged[column];
    case 'reason':
      return (logged.event['reason'] as { code: string } | undefined)?.code;
    case 'emitter':
      return (logged.event['emitter'] as { name: string }).name;
    default:
      return logged.event[column];
  }
}

/** Quoted where needed; what a spreadsheet would take for a formula is marked as text. */
function csvField(value: unknown): string {
  if (value === undefined || value === null) return '';
  const text = String(value);
  const harmless = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
