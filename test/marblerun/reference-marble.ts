import { connect, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2';
import { once } from 'node:events';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { decodeResponse, encodeRequest, type Parameters } from './activation-messages.js';
import {
  type MarbleIdentity,
  newMarbleIdentity,
  openEnclaveReport,
  reportDataOver,
} from './marble-identity.js';

/** What the process was told instead of its parameters. */
export class NotActivated extends Error {
  constructor(
    readonly status: number,
    readonly details: string,
  ) {
    super(`${status}: ${details}`);
  }
}

/** The enclave's side: a quote over 64 bytes of report data. */
export type Quoting = (reportData: Buffer) => Uint8Array;

export interface MarbleStart {
  readonly port: number;
  readonly host?: string;
  /** Name in the TLS handshake and authority. */
  readonly servername?: string;
  readonly type: string;
  readonly uuid?: string;
  readonly names?: readonly string[];
  /** Absent: outside an enclave, an empty quote. */
  readonly quoting?: Quoting;
  readonly identity?: MarbleIdentity;
}

export const SOME_UUID = '11111111-2222-4333-8444-555555555555';

/**
 * A marble up to the point where its application would start, as upstream's premain does it: key, self-signed certificate, quote over it,
 * activation over TLS with that certificate, a look at what came back. The server is not authenticated (upstream does not either).
 */
export async function startMarble(start: MarbleStart): Promise<Parameters> {
  const identity = start.identity ?? (await newMarbleIdentity(start.names));
  const session = await openSession(identity, start);
  try {
    const parameters = await activate(session, identity, start);
    requireParameters(parameters);
    return parameters;
  } finally {
    session.destroy();
  }
}

/** TLS with the marble's certificate and ALPN h2, which grpc-go insists on. */
export async function openSession(
  { key, certificate }: Pick<MarbleIdentity, 'key' | 'certificate'>,
  { port, host = '127.0.0.1', servername = 'localhost' }: Pick<MarbleStart, 'port' | 'host' | 'servername'>,
): Promise<ClientHttp2Session> {
  const socket: TLSSocket = connectTls({
    host,
    port,
    servername,
    ...(key === '' ? {} : { key, cert: pem(certificate) }),
    ALPNProtocols: ['h2'],
    rejectUnauthorized: false,
  });
  await once(socket, 'secureConnect');
  if (socket.alpnProtocol !== 'h2') throw new Error(`the server chose ${socket.alpnProtocol} and not h2`);
  const session = connect(`https://${servername}:${port}`, { createConnection: () => socket });
  session.on('error', () => undefined);
  return session;
}

export function activate(
  session: ClientHttp2Session,
  identity: Pick<MarbleIdentity, 'certificate' | 'csr'>,
  { type, uuid = SOME_UUID, quoting }: Pick<MarbleStart, 'type' | 'uuid' | 'quoting'>,
): Promise<Parameters> {
  const quote = quoting ? openEnclaveReport(quoting(reportDataOver(identity.certificate))) : new Uint8Array();
  return callActivate(session, encodeRequest({ quote, csr: identity.csr, marbleType: type, uuid })).then(
    decodeResponse,
  );
}

/** One unary call; the message comes back without its frame. @throws NotActivated for a status other than OK */
export async function callActivate(
  session: ClientHttp2Session,
  message: Buffer,
  path = '/rpc.Marble/Activate',
): Promise<Buffer> {
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    'user-agent': 'grpc-go/1.81.1',
  });
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([prefix, message]));
  let headers: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders | undefined;
  stream.on('response', (given) => (headers = given));
  stream.on('trailers', (given) => (trailers = given));
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  if (Number(headers[':status']) !== 200) throw new Error(`HTTP ${headers[':status']}`);
  if (headers['content-type'] !== 'application/grpc')
    throw new Error(`content-type ${headers['content-type']}`);
  const outcome = trailers ?? headers;
  const status = Number(outcome['grpc-status'] ?? NaN);
  if (status !== 0) throw new NotActivated(status, decodeURIComponent(String(outcome['grpc-message'] ?? '')));
  const body = Buffer.concat(parts);
  if (body[0] !== 0 || body.readUInt32BE(1) !== body.length - 5) throw new Error('not exactly one frame');
  return body.subarray(5);
}

/** What premain and the runtime rely on: the reserved variables, and that they fit together. */
export function requireParameters({ env }: Parameters): void {
  const text = (name: string): string => {
    const value = env.get(name);
    if (!value) throw new Error(`${name} is missing`);
    return value.toString();
  };
  const [leaf, intermediate, ...others] = certificates(text('MARBLE_PREDEFINED_MARBLE_CERTIFICATE_CHAIN'));
  const [marbleRoot] = certificates(text('MARBLE_PREDEFINED_ROOT_CA'));
  const [root] = certificates(text('MARBLE_PREDEFINED_COORDINATOR_ROOT_CA'));
  if (!leaf || !intermediate || !marbleRoot || !root || others.length > 0)
    throw new Error('the chain has another shape');
  if (!leaf.checkPrivateKey(createPrivateKey(text('MARBLE_PREDEFINED_PRIVATE_KEY'))))
    throw new Error('the private key is of another certificate');
  const signed = leaf.verify(marbleRoot.publicKey) && leaf.verify(intermediate.publicKey);
  if (!signed || !intermediate.verify(root.publicKey)) throw new Error('the chain does not verify');
  for (const [name, value] of env) if (value.includes(0)) throw new Error(`${name} has a NUL`);
  const ttls = env.get('MARBLE_TTLS_CONFIG');
  if (ttls && !('tls' in (JSON.parse(ttls.toString()) as object)))
    throw new Error('an empty TTLS configuration');
}

export const certificates = (text: string): X509Certificate[] =>
  (text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map(
    (one) => new X509Certificate(one),
  );

export const pem = (der: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replace(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`;
