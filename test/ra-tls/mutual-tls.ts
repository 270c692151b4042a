import { toPem } from '#pki';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import type { JsonAnswer } from '../../apps/cli/src/demo/https-json.js';
import type { RunningSiegel } from '../harness/index.js';
import type { ClientIdentity } from './dialect-identities.js';

export interface MutualRequest {
  readonly path?: string;
  readonly method?: string;
  readonly body?: string;
  readonly contentType?: string;
}

/** Certificate and key as PEM, as an enclave has them in files. */
export const pemOf = ({ keys, certificate }: ClientIdentity): { cert: string; key: string } => ({
  cert: toPem('CERTIFICATE', certificate),
  key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
});

/** One request over a connection of its own, with the client's certificate. */
export function overMutualTls(
  siegel: RunningSiegel,
  identity: ClientIdentity | undefined,
  { path = '/v1/attest/ra-tls', method = 'POST', body, contentType }: MutualRequest = {},
): Promise<JsonAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      `${siegel.endpoints.release}${path}`,
      {
        method,
        agent: false,
        ca: readFileSync(siegel.layout.caCertificate),
        ...(identity ? pemOf(identity) : {}),
        headers: {
          ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
          ...(contentType === undefined ? {} : { 'content-type': contentType }),
        },
      },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(parts).toString();
          const { statusCode: status = 0, headers } = response;
          resolve({ status, headers, body: JSON.parse(text) as unknown, text });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
