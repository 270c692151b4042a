import { z } from 'zod';
import { Deployment } from '../deployment/deployment.js';
import { CliError } from '../failure/cli-error.js';
import { printable } from '../terminal/layout.js';
import { type Style, styleFor } from '../terminal/style.js';
import type { Terminal } from '../terminal/terminal.js';
import type { StoryOptions } from './command.js';
import { checkedEvent, eventText, LoggedEvent } from './logged-event.js';

const PAGE = 500;
const Point = z.looseObject({ loggedAt: z.string(), type: z.string() }).nullable();
const Story = z.looseObject({
  summary: z.looseObject({
    complete: z.boolean(),
    events: z.number(),
    firstAttestation: Point,
    lastRelease: Point,
    lastRevocation: Point,
    workloads: z.array(z.string()),
    mrenclave: z.array(z.string()),
    platforms: z.array(z.string()),
    sessions: z.array(z.string()),
    boundKeys: z.array(z.string()),
    tcbStatus: z.array(z.looseObject({ status: z.string(), since: z.string() })),
    received: z.array(
      z.looseObject({ vault: z.string(), objectName: z.string(), version: z.string(), first: z.string() }),
    ),
  }),
  events: z.array(LoggedEvent),
  next: z.number().nullable(),
});
type Story = z.infer<typeof Story>;

/** `siegel audit story`: one enclave, from its first attestation to its last release. */
export async function tellStory(options: StoryOptions, terminal: Terminal): Promise<number> {
  const { session, boundKey, mrenclave, platform, tenant } = options;
  const named = [session, boundKey, mrenclave ?? platform].filter((given) => given !== undefined);
  if (named.length !== 1 || (mrenclave === undefined) !== (platform === undefined))
    throw CliError.of(
      'USAGE',
      'Name the enclave by one of --session, --bound-key, and --mrenclave with --platform.',
    );
  const given = Object.entries({ session, boundKey, mrenclave, platform, tenant });
  const parameters = new URLSearchParams(
    given.filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  parameters.set('limit', String(PAGE));
  const deployment = await Deployment.open(options, terminal);
  const client = await deployment.client('audit');
  try {
    const events: LoggedEvent[] = [];
    for (;;) {
      const { body } = await client.json(`/v1/events/story?${parameters}`);
      const story = checkedEvent(Story, body);
      events.push(...story.events);
      if (story.next === null) {
        print({ ...story, events }, options, terminal);
        return 0;
      }
      parameters.set('after', String(story.next));
    }
  } finally {
    await client.close();
  }
}

function print({ summary, events }: Story, { json }: StoryOptions, terminal: Terminal): void {
  if (json) {
    terminal.out(`${JSON.stringify({ summary, events })}\n`);
    return;
  }
  const style = styleFor(terminal.colour);
  for (const event of events) terminal.out(eventText(event, style));
  terminal.out(`\n${summaryText(summary, style)}`);
}

function summaryText(summary: Story['summary'], style: Style): string {
  const at = (point: Story['summary']['firstAttestation']): string =>
    point === null ? 'none' : `${point.loggedAt}  ${point.type}`;
  const lines: [string, string][] = [
    ['workload', summary.workloads.join(', ')],
    ['mrenclave', summary.mrenclave.join(', ')],
    ['machine', summary.platforms.join(', ')],
    ['bound key', summary.boundKeys.join(', ')],
    ['sessions', summary.sessions.join(', ')],
    ['TCB status', summary.tcbStatus.map(({ status, since }) => `${status} (${since})`).join(', ')],
    ['first attestation', at(summary.firstAttestation)],
    ['last release', at(summary.lastRelease)],
    ['last revocation', at(summary.lastRevocation)],
    ...summary.received.map(({ vault, objectName, version, first }): [string, string] => [
      'received',
      `${vault}/${objectName} ${version} (${first})`,
    ]),
  ];
  const text = lines
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `${style.dim(name.padEnd(18))} ${printable(value)}\n`)
    .join('');
  return summary.complete ? text : `${text}There is more than one story shows; use audit query.\n`;
}
