import type { ReleasePayload } from '#contracts';
import { type QuoteRequest, SimulatedSgx } from '#simulator';
import { readFile } from 'node:fs/promises';
import { Deployment } from '../deployment/deployment.js';
import { stateFolder } from '../deployment/siegel-json.js';
import { Refused, SimulatedEnclave } from '../demo/simulated-enclave.js';
import { CliError } from '../failure/cli-error.js';
import { printable } from '../terminal/layout.js';
import { styleFor, TICK } from '../terminal/style.js';
import type { Terminal } from '../terminal/terminal.js';
import { Layout } from '../up/layout.js';
import { PLATFORM } from '../up/simulated-platform.js';
import type { SimulateOptions } from './command.js';

/** `siegel simulate`. */
export async function simulateEnclave(options: SimulateOptions, terminal: Terminal): Promise<number> {
  const identity = identityOf(options);
  const deployment = await Deployment.open(options, terminal);
  const sgx = await simulatorOf(new Layout(stateFolder(options.state, terminal)).simulator);
  const enclave = new SimulatedEnclave(sgx.platform({ name: PLATFORM }), identity);
  const client = await deployment.client('release', { anonymous: true });
  try {
    const workload = options.workload === undefined ? {} : { workload: options.workload };
    const { body } = await client.json('/v1/attest', {
      method: 'POST',
      contentType: 'application/json',
      body: JSON.stringify(enclave.requestBody(workload)),
    });
    const { response, payload } = enclave.open({ status: 200, headers: {}, body, text: '' });
    const released = options.values ? withValues(payload) : namesOf(payload);
    const { session, promise, simulated } = response;
    const answer = { workload: response.workload, session, simulated, ...released };
    if (options.json) terminal.out(`${JSON.stringify({ ...answer, promise })}\n`);
    else terminal.out(releaseText(response.workload, payload, options.values === true, terminal));
    return 0;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    throw CliError.of('SERVICE_ANSWER_INVALID', 'key-release answered with something else than a release.', {
      cause: error,
    });
  } finally {
    await client.close();
  }
}

function identityOf({ mrenclave, mrsigner, isvprodid, isvsvn }: SimulateOptions): QuoteRequest {
  const hash = (option: string, value: string): string => {
    if (/^[0-9a-fA-F]{64}$/.test(value)) return value.toLowerCase();
    throw CliError.of('USAGE', `${option} "${value}" is not 64 hexadecimal digits.`);
  };
  const number = (option: string, value: string): number => {
    if (/^\d{1,5}$/.test(value) && Number(value) <= 65_535) return Number(value);
    throw CliError.of('USAGE', `${option} "${value}" is not a number from 0 to 65535.`);
  };
  return {
    mrenclave: hash('--mrenclave', mrenclave),
    mrsigner: hash('--mrsigner', mrsigner),
    isvProdId: number('--isvprodid', isvprodid),
    isvSvn: number('--isvsvn', isvsvn),
  };
}

async function simulatorOf(path: string): Promise<SimulatedSgx> {
  try {
    return SimulatedSgx.fromJSON(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    throw CliError.of('STATE_NOT_FOUND', `There is no simulated platform in "${path}".`, {
      remedy: 'Start a deployment with "siegel up", and name its state folder with --state.',
      cause: error,
    });
  }
}

function namesOf({ env, files, certificate }: ReleasePayload) {
  return {
    env: Object.keys(env),
    files: files.map(({ path }) => path),
    ...(certificate === undefined ? {} : { certificate: { dns: certificate.dns } }),
  };
}

function withValues({ env, files, certificate }: ReleasePayload) {
  return {
    env,
    files,
    ...(certificate === undefined ? {} : { certificate: { dns: certificate.dns } }),
  };
}

function releaseText(workload: string, payload: ReleasePayload, values: boolean, terminal: Terminal): string {
  const { env, files, certificate } = payload;
  const lines = [
    `${styleFor(terminal.colour).good(TICK)} released as workload ${printable(workload)}`,
    ...Object.entries(env).map(([name, value]) => `  env   ${name}${values ? `=${printable(value)}` : ''}`),
    ...files.map(({ path, content }) => {
      const bytes = Buffer.from(content, 'base64');
      const text = values ? `\n${printable(bytes.toString('utf8'))}` : ` (${bytes.length} bytes)`;
      return `  file  ${printable(path)}${text}`;
    }),
    ...(certificate === undefined ? [] : [`  TLS   ${certificate.dns.join(', ')}`]),
  ];
  return `${lines.join('\n')}\n`;
}
