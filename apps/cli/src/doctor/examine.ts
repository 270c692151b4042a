import { Deployment } from '../deployment/deployment.js';
import { printable } from '../terminal/layout.js';
import { CROSS, styleFor, TICK } from '../terminal/style.js';
import type { Terminal } from '../terminal/terminal.js';
import { perform, type Check, type CheckResult } from './check.js';
import type { DoctorOptions } from './command.js';
import { auditTokenCheck, manifestCheck, vaultCheck } from './credentials.js';
import { natsCheck } from './nats.js';
import { serviceChecks } from './services.js';
import { vaultChecks } from './vaults.js';
import { witnessCheck } from './witness.js';

/** `siegel doctor`: all checks at once, printed in a fixed order. */
export async function examine(options: DoctorOptions, terminal: Terminal): Promise<number> {
  const deployment = await Deployment.open(options, terminal);
  const checks = [...checksOf(deployment, options), ...(await vaultChecks(deployment))];
  const results = await Promise.all(checks.map(perform));
  const ok = results.every((result) => result.ok);
  terminal.out(
    options.json ? `${JSON.stringify({ ok, checks: results })}\n` : doctorText(results, terminal.colour),
  );
  return ok ? 0 : 1;
}

function checksOf(deployment: Deployment, options: DoctorOptions): Check[] {
  const tenant = deployment.tenant(options.tenant);
  const { found } = deployment;
  const where = found?.path ?? 'no siegel.json; addresses from options and environment';
  const nats = found?.content.nats?.url;
  const witness = found?.content.witness?.key;
  return [
    { name: 'deployment', run: async () => ({ ok: true, detail: where }) },
    ...serviceChecks(deployment, 'release'),
    ...serviceChecks(deployment, 'verifier'),
    ...serviceChecks(deployment, 'audit'),
    ...(nats === undefined ? [] : [natsCheck(nats, deployment.timeoutMs)]),
    manifestCheck(deployment, tenant),
    vaultCheck(deployment, tenant, deployment.vault(options.vault)),
    auditTokenCheck(deployment),
    ...(witness === undefined ? [] : [witnessCheck(deployment, tenant, witness)]),
  ];
}

function doctorText(results: readonly CheckResult[], colour: boolean): string {
  const style = styleFor(colour);
  const width = Math.max(...results.map(({ name }) => name.length));
  const lines = results.map(({ name, ok, detail, code, remedy }) => {
    const mark = !ok ? style.bad(CROSS) : remedy === undefined ? style.good(TICK) : style.warn('!');
    const why = code === undefined ? '' : ` ${style.dim(`(${code})`)}`;
    const todo = remedy === undefined ? '' : `\n  ${' '.repeat(width)}  ${printable(remedy)}`;
    return `${mark} ${name.padEnd(width)}  ${printable(detail)}${why}${todo}`;
  });
  const failed = results.filter(({ ok }) => !ok).length;
  const verdict = failed === 0 ? 'All is well.' : `${failed} of ${results.length} checks failed.`;
  return `${lines.join('\n')}\n${style.bold(verdict)}\n`;
}
