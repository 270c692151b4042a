import { AttestationAuthorities, isPkiError } from '#pki';
import { evaluateReleasePolicy, type ReleaseToken } from '#policy';
import { CliError } from '../failure/cli-error.js';
import { named } from '../input/bounded-input.js';
import { parseIsoTime } from '../input/iso-time.js';
import { printable } from '../terminal/layout.js';
import { CROSS, styleFor, TICK } from '../terminal/style.js';
import type { Terminal } from '../terminal/terminal.js';
import type { EvalOptions } from './command.js';
import { readPolicy, readText } from './policy-file.js';
import { traceText } from './trace-text.js';

interface GivenToken extends ReleaseToken {
  readonly verified: boolean;
}

/** `siegel policy eval`. */
export async function evalPolicy(file: string, options: EvalOptions, terminal: Terminal): Promise<number> {
  const policy = await readPolicy(file, options.json === true, terminal);
  const token = await givenToken(options, terminal);
  const { released, authority, trace } = evaluateReleasePolicy(policy, token);
  if (options.json) {
    const named = authority === undefined ? {} : { authority };
    terminal.out(`${JSON.stringify({ released, ...named, verified: token.verified, trace })}\n`);
    return released ? 0 : 1;
  }
  const style = styleFor(terminal.colour);
  terminal.out(`${traceText(trace, style)}\n`);
  terminal.out(
    released
      ? `${style.good(TICK)} met: ${printable(authority ?? '')} is satisfied\n`
      : `${style.bad(CROSS)} not met: no authority is satisfied\n`,
  );
  if (!token.verified) terminal.err('The signature of the token was not checked (see --jwks).\n');
  return released ? 0 : 1;
}

async function givenToken(options: EvalOptions, terminal: Terminal): Promise<GivenToken> {
  if ((options.token === undefined) === (options.claims === undefined))
    throw CliError.of('USAGE', 'Give either --token or --claims.');
  if (options.claims !== undefined) {
    if (options.jwks !== undefined)
      throw CliError.of('USAGE', '--jwks needs --token: claims have no signature.');
    return { ...tokenOf(await readText(options.claims, terminal), options.claims), verified: false };
  }
  const file = options.token ?? '-';
  const text = (await readText(file, terminal)).trim();
  if (options.jwks !== undefined) return verifiedToken(text, file, options.jwks, options, terminal);
  const payload = /^[\w-]+\.([\w-]+)\.[\w-]*$/.exec(text)?.[1];
  if (payload === undefined) throw CliError.of('FORMAT_MALFORMED', `${named(file)} is not a compact JWT.`);
  return { ...tokenOf(Buffer.from(payload, 'base64url').toString('utf8'), file), verified: false };
}

function tokenOf(text: string, file: string): ReleaseToken {
  let claims: unknown;
  try {
    claims = JSON.parse(text);
  } catch (error) {
    throw CliError.of('FORMAT_MALFORMED', `${named(file)} holds no JSON claims.`, { cause: error });
  }
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims))
    throw CliError.of('FORMAT_MALFORMED', `${named(file)} holds no claims.`);
  const { iss } = claims as Record<string, unknown>;
  return { issuer: typeof iss === 'string' ? iss : '', claims: claims as Record<string, unknown> };
}

async function verifiedToken(
  text: string,
  file: string,
  jwksFile: string,
  options: EvalOptions,
  terminal: Terminal,
): Promise<GivenToken> {
  const now = options.at === undefined ? new Date() : parseIsoTime(options.at, '--at');
  const claimed = /^[\w-]+\.([\w-]+)\.[\w-]+$/.exec(text)?.[1];
  if (claimed === undefined)
    throw CliError.of('FORMAT_MALFORMED', `${named(file)} is not a signed compact JWT.`);
  const { issuer } = tokenOf(Buffer.from(claimed, 'base64url').toString('utf8'), file);
  const authorities = new AttestationAuthorities();
  try {
    authorities.set(issuer, JSON.parse(await readText(jwksFile, terminal)));
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw CliError.of('FORMAT_MALFORMED', `${named(jwksFile)} is not a JWKS: ${(error as Error).message}.`, {
      cause: error,
    });
  }
  try {
    return { ...(await authorities.verify(text, { now })), verified: true };
  } catch (error) {
    if (!isPkiError(error)) throw error;
    throw CliError.answered(
      error.code,
      `The token does not verify: ${error.message}.`,
      'Get a new token from its issuer.',
    );
  }
}
