import { connect } from 'node:net';
import { CliError } from '../failure/cli-error.js';
import type { Check, CheckResult } from './check.js';

const DEFAULT_PORT = 4_222;
const MAX_GREETING_BYTES = 64 * 1024;

/** NATS greets every connection in clear text before TLS or credentials, so reachability needs neither. */
export function natsCheck(url: string, timeoutMs: number): Check {
  return { name: 'NATS', run: () => greeting(url, timeoutMs) };
}

async function greeting(url: string, timeoutMs: number): Promise<Omit<CheckResult, 'name'>> {
  if (!URL.canParse(url)) throw CliError.of('STATE_INVALID', `"${url}" is not the address of a NATS server.`);
  const { hostname, port } = new URL(url);
  const line = await firstLine(hostname, Number(port || DEFAULT_PORT), timeoutMs);
  const info = readInfo(line);
  if (!info) {
    return {
      ok: false,
      detail: `${hostname}:${port || DEFAULT_PORT} accepts connections, but does not speak NATS`,
      code: 'SERVICE_ANSWER_INVALID',
      remedy: 'Check the address: another program may listen on this port.',
    };
  }
  const { version, jetstream, tls } = info;
  const detail = `nats-server ${version} at ${hostname}:${port || DEFAULT_PORT}${tls ? ', TLS' : ''}`;
  return jetstream
    ? { ok: true, detail: `${detail}, JetStream` }
    : {
        ok: false,
        detail: `${detail}, without JetStream`,
        code: 'JETSTREAM_MISSING',
        remedy: 'Enable JetStream in the configuration of nats-server: manifests and events live there.',
      };
}

function firstLine(host: string, port: number, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: host.replace(/^\[|\]$/g, ''), port });
    const end = (finish: () => void): void => {
      socket.destroy();
      finish();
    };
    const fail = (why: string): void =>
      end(() =>
        reject(CliError.of('SERVICE_UNREACHABLE', `NATS at ${host}:${port} cannot be reached: ${why}.`)),
      );
    let text = '';
    socket.setTimeout(timeoutMs, () => fail('no answer in time'));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      fail(error.code === 'ECONNREFUSED' ? 'nothing listens there' : (error.code ?? error.message)),
    );
    socket.on('end', () => end(() => resolve(text)));
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const line = text.indexOf('\r\n');
      if (line !== -1 || text.length > MAX_GREETING_BYTES)
        end(() => resolve(text.slice(0, Math.max(line, 0))));
    });
  });
}

function readInfo(line: string): { version: string; jetstream: boolean; tls: boolean } | undefined {
  if (!line.startsWith('INFO {')) return undefined;
  try {
    const info = JSON.parse(line.slice('INFO '.length)) as Record<string, unknown>;
    return {
      version: typeof info['version'] === 'string' ? info['version'] : 'of unknown version',
      jetstream: info['jetstream'] === true,
      tls: info['tls_required'] === true,
    };
  } catch {
    return undefined;
  }
}
