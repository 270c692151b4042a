import { z } from 'zod';
import { CliError } from '../failure/cli-error.js';
import { printable } from '../terminal/layout.js';
import type { Style } from '../terminal/style.js';

const Text = z.string().optional();

/** An event as the audit service hands it out. Loose: what a newer service adds is passed on. */
export const LoggedEvent = z.looseObject({
  position: z.number().int().nonnegative(),
  log: z.string(),
  index: z.number().int().nonnegative(),
  loggedAt: z.string(),
  event: z.looseObject({
    id: z.string(),
    type: z.string(),
    outcome: z.string(),
    tenant: z.string(),
    workload: Text,
    mrenclave: Text,
    tcbStatus: Text,
    simulated: z.boolean().optional(),
    reason: z.looseObject({ code: z.string(), message: z.string() }).optional(),
    data: z
      .looseObject({
        conditions: z
          .array(
            z.looseObject({ name: z.string(), expected: z.string(), actual: z.string(), ok: z.boolean() }),
          )
          .optional(),
      })
      .optional(),
  }),
});
export type LoggedEvent = z.infer<typeof LoggedEvent>;

export const EventPage = z.looseObject({
  events: z.array(LoggedEvent),
  more: z.boolean(),
  next: z.string().nullable(),
});

/** @throws CliError SERVICE_ANSWER_INVALID */
export function checkedEvent<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const where = result.error.issues[0]?.path.map(String).join('.') ?? '';
  throw CliError.of(
    'SERVICE_ANSWER_INVALID',
    `audit answered with something else than events (at "${where}").`,
  );
}

const SHORT_HEX = 12;

/** One event for a person: a line, and below it why something was denied. */
export function eventText({ loggedAt, event }: LoggedEvent, style: Style): string {
  const outcome =
    { granted: style.good, ok: style.good, denied: style.bad, alert: style.bad }[event.outcome] ?? style.bold;
  const facts = [
    event.workload === undefined ? `tenant ${event.tenant}` : `${event.tenant}/${event.workload}`,
    event.mrenclave === undefined ? '' : `mrenclave ${event.mrenclave.slice(0, SHORT_HEX)}…`,
    event.tcbStatus ?? '',
    event.simulated ? 'simulated' : '',
  ].filter((fact) => fact !== '');
  const lines = [
    `${style.dim(printable(loggedAt))}  ${outcome(printable(event.outcome).padEnd(7))} ${printable(event.type).padEnd(20)} ${printable(facts.join('  '))}`,
  ];
  if (event.reason)
    lines.push(`    ${style.bold(printable(event.reason.code))}: ${printable(event.reason.message)}`);
  for (const { name, expected, actual, ok } of event.data?.conditions ?? []) {
    if (!ok)
      lines.push(`    ✗ ${printable(name)}: expected ${printable(expected)}, was ${printable(actual)}`);
  }
  return `${lines.join('\n')}\n`;
}
