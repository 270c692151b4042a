import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { stateFolder } from '../deployment/siegel-json.js';
import { CliError } from '../failure/cli-error.js';
import { readWhole } from '../input/bounded-input.js';
import type { Session } from '../session.js';
import { Layout } from '../up/layout.js';
import { agentServer } from './agent-server.js';
import type { AgentOptions } from './command.js';
import { Endpoints } from './endpoints.js';
import type { EvidenceProvider } from './evidence-provider.js';
import { GramineProvider } from './gramine-provider.js';
import { simulatorProvider } from './simulator-provider.js';

const MAX_CA_BYTES = 1024 * 1024;
const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|localhost|\[::1\]):(\d{1,5})$/;

/** `siegel agent`: serves until it is stopped. */
export async function runAgent(options: AgentOptions, session: Session): Promise<number> {
  const { terminal } = session;
  const provider = await providerOf(options, session);
  const where = addressOf(options, terminal.cwd);
  const ca =
    options.ca === undefined
      ? undefined
      : (await readWhole(options.ca, MAX_CA_BYTES, terminal)).toString('utf8');
  const endpoints = new Endpoints(ca, new Set(options.allow.map((host) => host.toLowerCase())));
  if (ca !== undefined && endpoints.roots.length === 0)
    throw CliError.of('FORMAT_MALFORMED', `"${options.ca}" holds no certificate.`);
  const stopped = session.untilStopped();
  const server = agentServer({ provider, endpoints, say: (text) => terminal.err(`siegel agent: ${text}\n`) });
  try {
    await new Promise<void>((listening, failed) => {
      server.once('error', failed);
      // The socket is nobody else's from its first moment: it is bound before this call returns.
      const mask = process.umask(0o177);
      server.listen(where, () => listening());
      process.umask(mask);
    }).catch((error: Error) => {
      throw CliError.of('OUTPUT_UNWRITABLE', `It cannot listen: ${error.message}.`, { cause: error });
    });
    const listening =
      'path' in where
        ? where.path
        : `http://${where.host.includes(':') ? `[${where.host}]` : where.host}:${(server.address() as { port: number }).port}`;
    if (options.json) terminal.out(`${JSON.stringify({ listening })}\n`);
    else terminal.out(`Serving the secure-key-release sidecar API at ${listening}.\n`);
    if (!stopped.aborted)
      await new Promise<void>((done) => stopped.addEventListener('abort', () => done(), { once: true }));
    return 0;
  } finally {
    server.closeIdleConnections();
    await new Promise<void>((closed) => server.close(() => closed()));
    endpoints.close();
    if ('path' in where) await rm(where.path, { force: true });
  }
}

async function providerOf(options: AgentOptions, { terminal }: Session): Promise<EvidenceProvider> {
  if (options.evidence === 'gramine') return new GramineProvider(resolve(terminal.cwd, options.device));
  if (options.evidence !== 'simulator')
    throw CliError.of('USAGE', `--evidence is gramine or simulator, not "${options.evidence}".`);
  if (options.mrenclave === undefined || !/^[0-9a-fA-F]{64}$/.test(options.mrenclave))
    throw CliError.of('USAGE', 'Simulated evidence needs --mrenclave, 64 hexadecimal digits.');
  const { simulator } = new Layout(stateFolder(options.state, terminal));
  return simulatorProvider(simulator, options.mrenclave.toLowerCase());
}

/**
 * Keys leave this port in the clear: there is no way to make it listen on a network. In an SGX enclave loopback is the host's as well, who
 * could ask for quotes over keys of its own: nobody gets that unasked.
 */
function addressOf(
  { evidence, socket, listen = evidence === 'simulator' ? '127.0.0.1:8080' : undefined }: AgentOptions,
  cwd: string,
): { path: string } | { host: string; port: number } {
  if (socket !== undefined) return { path: resolve(cwd, socket) };
  if (listen === undefined)
    throw CliError.of(
      'USAGE',
      "Name --socket; TCP (--listen) would let the host use this enclave's evidence.",
    );
  const port = LOOPBACK.exec(listen)?.[1];
  if (port === undefined || Number(port) > 65_535)
    throw CliError.of('USAGE', `--listen "${listen}" is no loopback address with a port, as 127.0.0.1:8080.`);
  return { host: listen.slice(0, listen.lastIndexOf(':')).replace(/[[\]]/g, ''), port: Number(port) };
}
