import { parseArgs } from 'node:util';
import { measureGramine } from './gramine.js';
import { measureMaa } from './maa.js';
import { measureMarbleRun } from './marblerun.js';
import { measureOcclum } from './occlum.js';
import { measureRaTls } from './ra-tls.js';
import { show, type WrapperReport } from './report.js';
import { measureTrustee } from './trustee.js';

const USAGE = `usage: npm run bench -- wrappers [--json] [--only NAME] [--count N] [--concurrency N]
  A whole deployment on this machine, quotes verified and every event durably logged; the clients of each wrapper's
  protocol run in this process and share its processors with the services.`;

/** One wrapper's measurement; each starts and stops a deployment of its own. */
export type Measurement = (load: Load, say: (text: string) => void) => Promise<WrapperReport>;
export interface Load {
  readonly count: number;
  readonly concurrency: number;
}

const WRAPPERS: Readonly<Record<string, Measurement>> = {
  gramine: measureGramine,
  maa: measureMaa,
  'marblerun-fresh': measureMarbleRun({ connections: 'fresh' }),
  'marblerun-reused': measureMarbleRun({ connections: 'reused' }),
  'marblerun-private-rsa': measureMarbleRun({ connections: 'reused', rsa: 'unreferenced' }),
  'marblerun-used-rsa': measureMarbleRun({ connections: 'reused', rsa: 'referenced' }),
  'occlum-aecs': measureOcclum('aecs'),
  'occlum-ratls': measureOcclum('ratls'),
  'ra-tls': measureRaTls,
  'trustee-attest': measureTrustee('attest', { paced: false }),
  'trustee-attest-paced': measureTrustee('attest', { paced: true }),
  'trustee-read': measureTrustee('read', { paced: false }),
  'trustee-read-paced': measureTrustee('read', { paced: true }),
};

export async function run(argv: string[]): Promise<number> {
  let flags;
  try {
    ({ values: flags } = parseArgs({
      args: argv,
      options: {
        json: { type: 'boolean', default: false },
        only: { type: 'string' },
        count: { type: 'string', default: '1000' },
        concurrency: { type: 'string', default: '16' },
      },
    }));
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${USAGE}\n`);
    return 2;
  }
  const load = { count: Number(flags.count), concurrency: Number(flags.concurrency) };
  const names = flags.only === undefined ? Object.keys(WRAPPERS) : [flags.only];
  const sound = Object.values(load).every(
    (value) => Number.isInteger(value) && value > 0 && value <= 100_000,
  );
  if (!sound || names.some((name) => !Object.hasOwn(WRAPPERS, name))) {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  const reports: Record<string, WrapperReport> = {};
  for (const name of names) reports[name] = await WRAPPERS[name]!(load, say);
  if (flags.json) process.stdout.write(`${JSON.stringify(reports)}\n`);
  else for (const [name, report] of Object.entries(reports)) show(name, report);
  return Object.values(reports).every(({ failed }) => failed === 0) ? 0 : 1;
}
