import { credentials, Client, type ServiceError } from '@grpc/grpc-js';
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { parseQuote } from '#dcap';
import { readCarrier, type ServerCarrier } from './server-certificate.js';
import { toPem } from '#pki';
import { connect as connectHttp2 } from 'node:http2';
import { once } from 'node:events';
import { hash } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { ClientIdentity } from '../ra-tls/dialect-identities.js';
import { pemOf } from '../ra-tls/mutual-tls.js';
import { callUnary, Refused } from './unary-http2.js';

const PATH = '/ratls.GrSecret/GetSecret';

/** `SecretRequest` and `SecretReply`: one text each. */
export const secretRequest = (name: string): Buffer =>
  Buffer.from(new BinaryWriter().tag(1, WireType.LengthDelimited).string(name).finish());
export function replyText(message: Uint8Array): string {
  const reader = new BinaryReader(message);
  const [number, type] = reader.tag();
  if (number !== 1 || type !== WireType.LengthDelimited) throw new Error('no SecretReply');
  const text = reader.string();
  if (reader.pos !== reader.len) throw new Error('more than a SecretReply');
  return text;
}

/**
 * What Occlum's client makes of a reply: a buffer of three quarters of the text's length less the padding at its very end, filled by
 * a decoder that skips what is not base64, of which the last byte is dropped. Where the real one would write beyond its buffer,
 * this throws.
 */
export function decodeReply(text: string): Buffer {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const buffer = Buffer.alloc(Math.floor((text.length * 3) / 4) - padding);
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const character of text) {
    // The decoder takes padding for zero bits, so that whole groups of three bytes are written.
    const value = character === '=' ? 0 : ALPHABET.indexOf(character);
    if (value < 0) continue;
    held = ((held << 6) | value) & 0xffffff;
    bits += 6;
    if (bits < 24) continue;
    for (const shift of [16, 8, 0]) {
      if (at >= buffer.length) throw new Error('heap buffer overflow');
      buffer[at++] = (held >> shift) & 0xff;
    }
    bits = 0;
  }
  return buffer.subarray(0, -1);
}
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** What the client demands of the server (`ra_config`); every comparison is one of equality. */
export interface ServerPolicy {
  readonly mrEnclave: string;
  /** Verifies the quote, as the client does inside its enclave. @throws where it does not hold */
  readonly verifyQuote: (quote: Buffer) => void;
}

/** Everything that Occlum's client checks of the server's certificate (occlum_verify_cert). @throws Error */
export function checkServer(certificate: Buffer, policy: ServerPolicy): ServerCarrier {
  if (toPem('CERTIFICATE', certificate).length >= 16_000) throw new Error('certificate too long');
  const carrier = readCarrier(certificate);
  policy.verifyQuote(carrier.quote);
  const { body } = parseQuote(carrier.quote);
  if (body.kind !== 'sgx') throw new Error('not a quote of SGX');
  if (!body.reportData.subarray(0, 32).equals(hash('sha256', carrier.spki, 'buffer')))
    throw new Error('the quote is not over the key of the certificate');
  if (body.mrEnclave.toString('hex') !== policy.mrEnclave) throw new Error('another server than expected');
  return carrier;
}

export interface RatlsOptions {
  readonly port: number;
  readonly policy: ServerPolicy;
  readonly servername?: string;
}

/** grpc_ratls_get_secret(): a new connection with a client certificate for each secret; gives what the file would hold. */
export async function getSecret(
  identity: ClientIdentity | undefined,
  name: string,
  options: RatlsOptions,
): Promise<Buffer> {
  return decodeReply(replyText(await askRaw(identity, secretRequest(name), options)));
}

/** The connection and its one call, whatever the message is. */
export async function askRaw(
  identity: ClientIdentity | undefined,
  message: Buffer,
  { port, policy, servername = 'localhost' }: RatlsOptions,
): Promise<Buffer> {
  const session = connectHttp2(`https://127.0.0.1:${port}`, {
    ...(identity ? pemOf(identity) : {}),
    rejectUnauthorized: false,
    servername,
  });
  try {
    session.on('error', () => undefined);
    await once(session, 'connect');
    checkServer((session.socket as TLSSocket).getPeerX509Certificate()!.raw, policy);
    return await callUnary(session, PATH, message);
  } finally {
    session.destroy();
  }
}

/** The same request by a gRPC library that knows nothing of Occlum; gives the text of the reply. */
export function getSecretByGrpcJs(
  { keys, certificate }: ClientIdentity,
  name: string,
  { port }: Pick<RatlsOptions, 'port'>,
): Promise<string> {
  const key = Buffer.from(keys.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const channel = credentials.createSsl(null, key, Buffer.from(toPem('CERTIFICATE', certificate)), {
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  });
  const client = new Client(`127.0.0.1:${port}`, channel);
  const same = (bytes: Buffer): Buffer => bytes;
  return new Promise((resolve, reject) => {
    const done = (error: ServiceError | null, reply?: Buffer): void => {
      client.close();
      if (error) reject(new Refused(error.code, error.details));
      else resolve(replyText(reply!));
    };
    client.makeUnaryRequest(PATH, same, same, secretRequest(name), { deadline: Date.now() + 10_000 }, done);
  });
}
