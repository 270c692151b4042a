import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { z } from 'zod';
import { Deployment } from '../deployment/deployment.js';
import { CliError } from '../failure/cli-error.js';
import type { Terminal } from '../terminal/terminal.js';
import type { CaOptions } from './command.js';

const Answer = z.object({
  pem: z.string().regex(/^-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n$/),
  sha256: z.string(),
  notAfter: z.iso.datetime(),
  port: z.number(),
});

/** `siegel gramine ca`. */
export async function exportCa(options: CaOptions, terminal: Terminal): Promise<number> {
  const deployment = await Deployment.open(options, terminal);
  const client = await deployment.client('release', { anonymous: true });
  try {
    const answer = Answer.safeParse((await client.json('/v1/gramine/ca')).body);
    if (!answer.success) {
      throw CliError.of('SERVICE_ANSWER_INVALID', 'The answer of key-release is not a CA certificate.');
    }
    const { pem, sha256, notAfter } = answer.data;
    if (options.output !== undefined) await writeFile(resolve(terminal.cwd, options.output), pem);
    if (options.json) terminal.out(`${JSON.stringify(answer.data)}\n`);
    else if (options.output === undefined) terminal.out(pem);
    else terminal.err(`${options.output}: sha256 ${sha256}, valid until ${notAfter}\n`);
    return 0;
  } finally {
    await client.close();
  }
}
