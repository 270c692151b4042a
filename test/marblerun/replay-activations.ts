import { isDeepStrictEqual } from 'node:util';
import { decodeResponse } from './activation-messages.js';
import type { MarbleRunDeployment } from './deployment.js';
import { newMarbleIdentity } from './marble-identity.js';
import {
  comparable,
  keyPem,
  type RecordedActivation,
  recordedParameters,
  type Recordings,
} from './recorded-activations.js';
import { callActivate, type NotActivated, openSession } from './reference-marble.js';
import { newUserCertificate } from './user-certificate.js';

export interface Difference {
  readonly name: string;
  /** gRPC status; undefined where TLS failed. */
  readonly upstream: number | undefined;
  readonly here: number;
}

/** Sends every recorded request, in order, with its own certificate where its key is known. What is answered otherwise comes back. */
export async function replayActivations(
  marblerun: MarbleRunDeployment,
  recorded: Recordings,
  servername: string,
): Promise<Difference[]> {
  const client = marblerun.client(servername);
  const user = await newUserCertificate();
  const differences: Difference[] = [];
  for (const one of recorded.activations) {
    if (one.name === 'derive-u1') await client.setManifest(recorded.manifest);
    if (one.name === 'needsUser-set') {
      const { certificatePem, privateKeyPem } = recorded.users['operator']!;
      const operator = { cert: certificatePem, key: keyPem(privateKeyPem) };
      await client.done('POST', '/api/v2/secrets', userSecrets(user), operator);
    }
    const identity = await identityOf(one);
    const session = await openSession(identity, { port: marblerun.meshPort, servername });
    const path = one.name === 'unknown-method' ? '/rpc.Marble/Nope' : undefined;
    const answer = await callActivate(session, Buffer.from(one.requestBase64, 'base64'), path)
      .then(
        (bytes) => ({ status: 0, message: '', parameters: comparable(decodeResponse(bytes)) }),
        ({ status, details }: NotActivated) => ({ status, message: details, parameters: undefined }),
      )
      .finally(() => session.destroy());
    const expected = {
      status: one.grpc?.status,
      message: decodeURIComponent(one.grpc?.message ?? ''),
      parameters: one.grpc?.status === 0 ? comparable(recordedParameters(one)) : undefined,
    };
    if (!isDeepStrictEqual(answer, expected))
      differences.push({ name: one.name, upstream: expected.status, here: answer.status });
  }
  return differences;
}

async function identityOf({ name, clientCertificate }: RecordedActivation) {
  if (name === 'no-client-certificate') return { key: '', certificate: Buffer.alloc(0) };
  const key = clientCertificate?.privateKeyPem;
  // Keys of unmodified marbles are not known: without a quote any certificate will do.
  return key ? { key: keyPem(key), certificate: derOf(clientCertificate.pem) } : newMarbleIdentity();
}

const userSecrets = ({ pem, key }: { pem: string; key: string }) => ({
  secrets: {
    userKey: { Key: Buffer.from('0123456789abcdef').toString('base64') },
    userPlain: { Key: Buffer.from('a plain secret').toString('base64') },
    userCert: { Cert: derOf(pem).toString('base64'), Private: derOf(key).toString('base64') },
  },
});

const derOf = (text: string): Buffer => Buffer.from(text.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64');
