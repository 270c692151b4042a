import { ANJUNA_FORMS, AnjunaAttestResponse, AttestResponse } from '#contracts';
import { BINDING_CONVENTIONS, BINDINGS, type BindingProperties, isBindingConvention } from '#evidence';
import { createPublicKey } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Deployment } from '../deployment/deployment.js';
import { CliError } from '../failure/cli-error.js';
import { readWhole } from '../input/bounded-input.js';
import { printable } from '../terminal/layout.js';
import { styleFor } from '../terminal/style.js';
import type { Terminal } from '../terminal/terminal.js';
import type { AttestOptions } from './command.js';

const MAX_QUOTE_BYTES = 32 * 1024;
const MAX_KEY_BYTES = 3 * 1024;
const PROVISIONING = 'sha512-rsa-der';

/** `siegel attest`. What is written is sealed; only the enclave opens it. */
export async function attestFiles(options: AttestOptions, terminal: Terminal): Promise<number> {
  const provisioning = checkedBinding(options) === PROVISIONING;
  const quote = await readWhole(options.quote, MAX_QUOTE_BYTES, terminal);
  const key = await readWhole(options.publicKey, MAX_KEY_BYTES, terminal);
  const hint = options.workload === undefined ? {} : { workload: options.workload };
  const body = provisioning
    ? { quote: quote.toString('base64'), publicKey: textOf(key), form: options.form ?? 'jwe', ...hint }
    : {
        evidence: quote.toString('base64url'),
        publicKey: { spki: spkiOf(key).toString('base64url') },
        binding: options.binding,
        ...hint,
      };
  const deployment = await Deployment.open(options, terminal);
  const client = await deployment.client('release', { anonymous: true });
  try {
    const answer = await client.json(provisioning ? '/v1/attest/anjuna' : '/v1/attest', {
      method: 'POST',
      contentType: 'application/json',
      body: JSON.stringify(body),
    });
    const read = (provisioning ? AnjunaAttestResponse : AttestResponse).safeParse(answer.body);
    if (!read.success)
      throw CliError.of(
        'SERVICE_ANSWER_INVALID',
        `${client.service} answered with something else than a release.`,
      );
    show(read.data, options, terminal);
    return 0;
  } finally {
    await client.close();
  }
}

function checkedBinding({ binding, form }: AttestOptions): string {
  if (!isBindingConvention(binding))
    throw CliError.of('USAGE', `--binding "${binding}" is not one of ${BINDING_CONVENTIONS.join(', ')}.`);
  const { carries, bindsKey }: BindingProperties = BINDINGS[binding];
  if (!bindsKey || (carries !== undefined && carries !== 'configId'))
    throw CliError.of('USAGE', `--binding ${binding} needs more than a key: send it to POST /v1/attest.`);
  if (form !== undefined && binding !== PROVISIONING)
    throw CliError.of('USAGE', `--form is for --binding ${PROVISIONING}.`);
  if (form !== undefined && !(ANJUNA_FORMS as readonly string[]).includes(form))
    throw CliError.of('USAGE', `--form is one of ${ANJUNA_FORMS.join(', ')}.`);
  return binding;
}

/** PEM and base64 as they are; other bytes are DER. */
function textOf(key: Buffer): string {
  const text = key.toString('latin1');
  return /^[\x20-\x7e\r\n]+$/.test(text) ? text.trim() : key.toString('base64');
}

/** DER of a SubjectPublicKeyInfo. The service checks it; here only PEM is opened. */
function spkiOf(key: Buffer): Buffer {
  const text = textOf(key);
  if (!text.startsWith('-----BEGIN ')) return Buffer.from(text, 'base64');
  // A private key is a mistake, and must not be turned into a public one without a word.
  if (!/^-----BEGIN (?:RSA )?PUBLIC KEY-----/.test(text))
    throw CliError.of('FORMAT_MALFORMED', 'The file of --public-key holds something else than a public key.');
  try {
    return createPublicKey(text).export({ format: 'der', type: 'spki' });
  } catch (error) {
    throw CliError.of('FORMAT_MALFORMED', 'The public key cannot be read.', { cause: error });
  }
}

function show(
  answer: AttestResponse | AnjunaAttestResponse,
  { out, json }: AttestOptions,
  terminal: Terminal,
): void {
  const text = `${JSON.stringify(answer)}\n`;
  if (out === undefined) {
    terminal.out(text);
    return;
  }
  try {
    writeFileSync(resolve(terminal.cwd, out), text, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw CliError.of('USAGE', `"${out}" cannot be written (${code ?? 'unknown reason'}).`, { cause: error });
  }
  const { workload, session, simulated } = answer;
  terminal.out(
    json
      ? `${JSON.stringify({ ok: true, workload, session, simulated, out })}\n`
      : `${styleFor(terminal.colour).good('✓')} workload ${printable(workload)}, session ${printable(session)}: sealed release in ${printable(out)}\n`,
  );
}
