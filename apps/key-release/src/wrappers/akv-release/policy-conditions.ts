import type { ConditionRecord } from '#contracts';
import type { ReleaseTrace } from '#policy';
import type { z } from 'zod';

type Record_ = z.infer<typeof ConditionRecord>;

const MAX_RECORDS = 64;

/** The trace of a release policy as the audit log keeps it; where there are too many conditions, those that failed come first. */
export function traceRecords(trace: ReleaseTrace): Record_[] {
  const records: Record_[] = [];
  collect(trace, records);
  if (records.length <= MAX_RECORDS) return records;
  return [...records.filter(({ ok }) => !ok), ...records.filter(({ ok }) => ok)].slice(0, MAX_RECORDS);
}

function collect(trace: ReleaseTrace, records: Record_[]): void {
  if (trace.kind === 'claim') {
    const { path, claim, operator, expected, actual, ok, reason } = trace;
    const missing = reason === undefined ? 'not stated' : reason;
    records.push(
      record(
        `${path} ${claim}`,
        `${operator} ${String(expected)}`,
        actual === null ? missing : String(actual),
        ok,
      ),
    );
    return;
  }
  if (trace.kind === 'authority')
    records.push(
      record(`${trace.path}.authority`, trace.authority, trace.issuer, trace.authority === trace.issuer),
    );
  for (const child of trace.children) collect(child, records);
}

const record = (name: string, expected: string, actual: string, ok: boolean): Record_ => ({
  name: name.slice(0, 64),
  expected: expected.slice(0, 1_000),
  actual: actual.slice(0, 1_000),
  ok,
});
