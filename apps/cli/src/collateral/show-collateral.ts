import { z } from 'zod';
import { Deployment } from '../deployment/deployment.js';
import { CliError } from '../failure/cli-error.js';
import type { ApiClient } from '../http/api-client.js';
import { columns, printable } from '../terminal/layout.js';
import { styleFor } from '../terminal/style.js';
import type { Terminal } from '../terminal/terminal.js';
import type { ShowOptions } from './command.js';

/** Answer of `GET /v1/collateral`. */
const HeldCollateral = z.looseObject({
  collateral: z.array(
    z.looseObject({
      tee: z.string(),
      fmspc: z.string(),
      ca: z.string(),
      trustRoot: z.string(),
      id: z.string(),
      source: z.string(),
      earliestExpiration: z.string(),
      refreshAt: z.string(),
      tcbEvaluationDataNumber: z.number(),
      failure: z.string().optional(),
    }),
  ),
});

/** `siegel collateral show`. */
export async function showCollateral(options: ShowOptions, terminal: Terminal): Promise<number> {
  const deployment = await Deployment.open(options, terminal);
  const client = await deployment.client('verifier');
  try {
    const held = await heldCollateral(client);
    terminal.out(options.json ? `${JSON.stringify(held)}\n` : collateralText(held, terminal.colour));
    return 0;
  } finally {
    await client.close();
  }
}

/** What the verifier holds. @throws CliError */
export async function heldCollateral(client: ApiClient): Promise<z.infer<typeof HeldCollateral>> {
  const answer = HeldCollateral.safeParse((await client.json('/v1/collateral')).body);
  if (answer.success) return answer.data;
  throw CliError.of(
    'SERVICE_ANSWER_INVALID',
    `${client.service} answered with something else than collateral.`,
  );
}

function collateralText({ collateral }: z.infer<typeof HeldCollateral>, colour: boolean): string {
  if (collateral.length === 0)
    return 'The verifier holds no collateral yet; it fetches what the first quote of a platform needs.\n';
  const style = styleFor(colour);
  const head = ['tee', 'fmspc', 'ca', 'root', 'evaluation', 'good until', 'refresh at', 'source'];
  const rows = collateral.map((each) =>
    [
      each.tee,
      each.fmspc,
      each.ca,
      each.trustRoot,
      String(each.tcbEvaluationDataNumber),
      each.earliestExpiration,
      each.refreshAt,
      each.source,
    ].map(printable),
  );
  const failures = collateral.flatMap(({ tee, fmspc, failure }) =>
    failure === undefined
      ? []
      : [style.warn(`! ${printable(`${tee} ${fmspc}: the last refresh failed: ${failure}`)}`)],
  );
  return `${[columns([head, ...rows]), ...failures].join('\n')}\n`;
}
