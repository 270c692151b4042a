import { once } from 'node:events';
import { connect, type ClientHttp2Session } from 'node:http2';
import { connect as connectTls, createSecureContext, type SecureContext } from 'node:tls';
import { encodeRequest } from '../../test/marblerun/activation-messages.js';
import {
  type MarbleIdentity,
  newMarbleIdentity,
  openEnclaveReport,
  reportDataOver,
} from '../../test/marblerun/marble-identity.js';
import { callActivate, pem, type Quoting, SOME_UUID } from '../../test/marblerun/reference-marble.js';

/** A marble up to its connection: everything that its own start costs is done, and is not measured. */
export interface PreparedMarble {
  readonly identity: MarbleIdentity;
  readonly context: SecureContext;
}

export async function prepareMarble(): Promise<PreparedMarble> {
  const identity = await newMarbleIdentity();
  return { identity, context: createSecureContext({ key: identity.key, cert: pem(identity.certificate) }) };
}

/** A request with a quote of its own, also where it is one of several over one connection. */
export function requestOf({ identity }: PreparedMarble, type: string, quoting: Quoting): Buffer {
  const quote = openEnclaveReport(quoting(reportDataOver(identity.certificate)));
  return encodeRequest({ quote, csr: identity.csr, marbleType: type, uuid: SOME_UUID });
}

export async function connectMarble({ context }: PreparedMarble, port: number): Promise<ClientHttp2Session> {
  const socket = connectTls({
    host: '127.0.0.1',
    port,
    servername: 'localhost',
    secureContext: context,
    ALPNProtocols: ['h2'],
    rejectUnauthorized: false,
  });
  await once(socket, 'secureConnect');
  const session = connect(`https://localhost:${port}`, { createConnection: () => socket });
  session.on('error', () => undefined);
  return session;
}

/** Bytes of the answer; an activation without parameters would be short. */
export const activateWith = async (session: ClientHttp2Session, request: Buffer): Promise<number> =>
  (await callActivate(session, request)).length;
