import {
  type Binding,
  type Expectations,
  MAX_TOKEN_CHARACTERS,
  RelyingPartyError,
  type TokenKind,
  TokenVerifier,
  type VerifiedToken,
} from '#relying-party';
import { createPublicKey, type KeyObject } from 'node:crypto';
import { CliError } from '../failure/cli-error.js';
import { named, readWhole } from '../input/bounded-input.js';
import { parseIsoTime } from '../input/iso-time.js';
import { printable } from '../terminal/layout.js';
import { CROSS, styleFor, TICK } from '../terminal/style.js';
import type { Terminal } from '../terminal/terminal.js';
import type { TokenOptions } from './command.js';

const MAX_JWKS_BYTES = 1024 * 1024;
const MAX_KEY_BYTES = 64 * 1024;
const MAX_RUNTIME_BYTES = 64 * 1024;

/** `siegel token verify`. */
export async function verifyToken(file: string, options: TokenOptions, terminal: Terminal): Promise<number> {
  const kind = kindOf(options.kind);
  const token = (await readWhole(file, MAX_TOKEN_CHARACTERS + 1, terminal)).toString('latin1').trim();
  const jwks = await json(options.jwks, MAX_JWKS_BYTES, terminal);
  const expectations = await expectationsOf(options, terminal);
  const style = styleFor(terminal.colour);
  try {
    const verified = new TokenVerifier([{ kind, issuer: options.issuer, jwks }]).verify(token, expectations);
    if (options.json) terminal.out(`${JSON.stringify({ verified: true, ...answerOf(verified) })}\n`);
    else terminal.out(`${style.good(TICK)} believed\n${factsText(verified)}`);
    return 0;
  } catch (error) {
    if (!(error instanceof RelyingPartyError)) throw error;
    const { code, message, remedy } = error;
    if (options.json)
      terminal.out(`${JSON.stringify({ verified: false, error: { code, message, remedy } })}\n`);
    else terminal.out(`${style.bad(CROSS)} ${code}: ${printable(message)}\n  ${remedy}\n`);
    return 1;
  }
}

function answerOf({ kind, issuer, tokenId, issuedAt, expiresAt, facts }: VerifiedToken) {
  const times = { issuedAt: issuedAt.toISOString(), expiresAt: expiresAt.toISOString() };
  return { kind, issuer, ...(tokenId === undefined ? {} : { tokenId }), ...times, ...facts };
}

function factsText(verified: VerifiedToken): string {
  return Object.entries(answerOf(verified))
    .map(([name, value]) => {
      const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
      return `  ${name.padEnd(24)} ${printable(text)}\n`;
    })
    .join('');
}

function kindOf(text: string): TokenKind {
  if (text === 'siegel' || text === 'maa') return text;
  throw CliError.of('USAGE', `--kind is siegel or maa, not "${text}".`);
}

async function expectationsOf(options: TokenOptions, terminal: Terminal): Promise<Expectations> {
  const list = <Name extends string>(name: Name, values: readonly string[]) =>
    (values.length === 0 ? {} : { [name]: values }) as { [Member in Name]?: readonly string[] };
  const number = <Name extends string>(name: Name, option: string, text: string | undefined) =>
    (text === undefined ? {} : { [name]: integer(option, text) }) as { [Member in Name]?: number };
  const { tenant, audience, nonce } = options;
  return {
    now: options.at === undefined ? new Date() : parseIsoTime(options.at, '--at'),
    identity: {
      ...list(
        'mrenclave',
        options.mrenclave.map((text) => hex('--mrenclave', text, 32)),
      ),
      ...list(
        'mrsigner',
        options.mrsigner.map((text) => hex('--mrsigner', text, 32)),
      ),
      ...list(
        'mrtd',
        options.mrtd.map((text) => hex('--mrtd', text, 48)),
      ),
      ...list('workload', options.workload),
      ...number('isvProdId', '--isvprodid', options.isvprodid),
      ...number('minIsvSvn', '--min-isvsvn', options.minIsvsvn),
      ...(tenant === undefined ? {} : { tenant }),
    },
    ...list('tcbStatus', options.tcb),
    ...list('refuseAdvisories', options.refuseAdvisory),
    allowUnstatedTcb: options.unstatedTcb === true,
    allowDebug: options.allowDebug === true,
    allowSimulated: options.allowSimulated === true,
    binding: await bindingOf(options, terminal),
    ...(audience === undefined ? {} : { audience }),
    ...(nonce === undefined ? {} : { nonce }),
    ...number('clockSkewSeconds', '--skew', options.skew),
    ...number('maxAgeSeconds', '--max-age', options.maxAge),
  };
}

async function bindingOf(options: TokenOptions, terminal: Terminal): Promise<Binding> {
  const { key, runtimeData, reportData, unbound } = options;
  const given = [key, runtimeData, reportData, unbound].filter((value) => value !== undefined);
  if (given.length !== 1)
    throw CliError.of('USAGE', 'Give one of --key, --runtime-data, --report-data and --unbound.');
  if (key !== undefined) return { key: await publicKey(key, terminal) };
  if (runtimeData !== undefined)
    return { runtimeData: await readWhole(runtimeData, MAX_RUNTIME_BYTES, terminal) };
  return reportData === undefined ? 'unchecked' : { reportData: hex('--report-data', reportData, 64) };
}

async function publicKey(file: string, terminal: Terminal): Promise<KeyObject> {
  const text = (await readWhole(file, MAX_KEY_BYTES, terminal)).toString('utf8');
  try {
    return text.trimStart().startsWith('{')
      ? createPublicKey({ key: JSON.parse(text) as never, format: 'jwk' })
      : createPublicKey(text);
  } catch (error) {
    throw CliError.of('FORMAT_MALFORMED', `${named(file)} is no public key.`, { cause: error });
  }
}

async function json(file: string, limit: number, terminal: Terminal): Promise<unknown> {
  try {
    return JSON.parse((await readWhole(file, limit, terminal)).toString('utf8'));
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw CliError.of('FORMAT_MALFORMED', `${named(file)} is not JSON.`, { cause: error });
  }
}

function hex(option: string, text: string, bytes: number): string {
  if (text.length === 2 * bytes && /^[0-9a-fA-F]*$/.test(text)) return text.toLowerCase();
  throw CliError.of('USAGE', `${option} "${text.slice(0, 140)}" is not ${2 * bytes} hexadecimal digits.`);
}

function integer(option: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw CliError.of('USAGE', `${option} "${text}" is not a number.`);
}
