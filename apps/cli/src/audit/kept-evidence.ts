import { INTEL_SGX_ROOT, parseCollateralBundle, verifyQuote } from '#dcap';
import { hash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { z } from 'zod';
import { Deployment } from '../deployment/deployment.js';
import type { DeploymentOptions } from '../deployment/options.js';
import { CliError } from '../failure/cli-error.js';
import type { ApiClient } from '../http/api-client.js';
import { parseIsoTime } from '../input/iso-time.js';
import { printable } from '../terminal/layout.js';
import type { Terminal } from '../terminal/terminal.js';
import { readTrustRoot } from '../verify/trust-root.js';
import { verdictText } from '../verify/verdict-text.js';
import { checkedEvent, LoggedEvent } from './logged-event.js';

export interface EvidenceOptions extends DeploymentOptions {
  readonly out?: string;
  readonly collateralOut?: string;
  readonly verify?: true;
  readonly trustRoot?: string;
  readonly at?: string;
  readonly json?: true;
}

const Info = z.looseObject({
  sha256: z.string(),
  kept: z.boolean(),
  collateral: z.string().nullable().optional(),
  collateralKept: z.boolean().optional(),
  events: z.array(LoggedEvent).min(1),
});

/** `siegel audit evidence`: the evidence behind events, to a file and, on demand, judged again as of the time of its first event. */
export async function fetchEvidence(
  digest: string,
  options: EvidenceOptions,
  terminal: Terminal,
): Promise<number> {
  const sha256 = digest.toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw CliError.of('USAGE', 'The digest is not 64 hex digits.');
  const root = options.trustRoot === undefined ? undefined : await readTrustRoot(options.trustRoot, terminal);
  const deployment = await Deployment.open(options, terminal);
  const client = await deployment.client('audit');
  try {
    const { body } = await client.json(`/v1/evidence/${sha256}/info`);
    const info = checkedEvent(Info, body);
    const evidence = await client.bytes(`/v1/evidence/${sha256}`);
    // The event's signature covers the digest: whoever stored the evidence need not be believed.
    if (hash('sha256', evidence, 'hex') !== sha256)
      throw CliError.of('SERVICE_ANSWER_INVALID', 'What audit gave is not the evidence with this digest.');
    const bundle = await collateralOf(info, client);
    if (options.out !== undefined) await writeFile(resolve(terminal.cwd, options.out), evidence);
    if (options.collateralOut !== undefined) {
      if (bundle === undefined)
        throw CliError.of('EVIDENCE_INVALID', 'The collateral of this evidence is not kept.');
      await writeFile(resolve(terminal.cwd, options.collateralOut), bundle);
    }
    const at = options.at ?? String((info.events[0]!.event as { time?: unknown }).time);
    const report = options.verify ? verifyAgain(evidence, bundle, parseIsoTime(at, '--at'), root) : undefined;
    if (options.json)
      terminal.out(
        `${JSON.stringify({ ...info, at, bytes: evidence.length, ...(report ? { report } : {}) })}\n`,
      );
    else {
      terminal.out(text(info, evidence.length, at, options));
      if (report) terminal.out(verdictText(report, new Date(at), terminal.colour));
    }
    return report && !report.verified ? 1 : 0;
  } finally {
    await client.close();
  }
}

async function collateralOf(info: z.infer<typeof Info>, client: ApiClient): Promise<string | undefined> {
  if (!info.collateral || !info.collateralKept) return undefined;
  return client.text(`/v1/collateral/${info.collateral}`);
}

function verifyAgain(
  evidence: Buffer,
  bundle: string | undefined,
  at: Date,
  root: Awaited<ReturnType<typeof readTrustRoot>> | undefined,
) {
  if (bundle === undefined)
    throw CliError.of(
      'EVIDENCE_INVALID',
      'The collateral of this evidence is not kept; give your own to "siegel verify".',
    );
  const report = verifyQuote(evidence, parseCollateralBundle(bundle), {
    at,
    trustAnchors: [root ?? INTEL_SGX_ROOT],
    graceSeconds: 0,
  });
  return root ? { ...report, trustRoot: root.id, simulated: root.simulated } : report;
}

function text(
  { sha256, events, collateral, collateralKept }: z.infer<typeof Info>,
  bytes: number,
  at: string,
  { out, collateralOut }: EvidenceOptions,
): string {
  const lines = [
    `evidence     ${sha256}, ${bytes} bytes`,
    `collateral   ${collateral ?? 'none'}${collateral && !collateralKept ? ' (not kept)' : ''}`,
    ...events.map(
      ({ event }) =>
        `event        ${printable(event.id)}  ${printable(event.type)}  ${printable(event.outcome)}`,
    ),
    ...(out === undefined || collateralOut === undefined
      ? []
      : [`judge again  siegel verify ${out} --collateral ${collateralOut} --at ${at}`]),
  ];
  return `${lines.join('\n')}\n`;
}
