import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Parameters } from './activation-messages.js';

const FOLDER = join(process.cwd(), '..', 'shared', 'vectors', 'marblerun');

/** One exchange with upstream's coordinator, as its README describes it. */
export interface RecordedActivation {
  readonly name: string;
  readonly origin: string;
  readonly clientCertificate?: { readonly pem: string; readonly privateKeyPem?: string };
  readonly requestBase64: string;
  readonly grpc?: { readonly path?: string; readonly status: number; readonly message: string };
  readonly parameters: {
    readonly argv: readonly string[];
    readonly envBase64: Readonly<Record<string, string>>;
    readonly filesBase64: Readonly<Record<string, string>>;
  } | null;
}
interface Identity {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

export interface Recordings {
  /** Exact bytes. */
  readonly manifest: Buffer;
  readonly activations: readonly RecordedActivation[];
  readonly users: Readonly<Record<string, Identity>>;
}

/** Undefined, and said, where the vectors are not beside this checkout. */
export function recordings(): Recordings | undefined {
  if (!existsSync(join(FOLDER, 'activation-simulation.json'))) {
    console.warn(`no vectors at ${FOLDER}: upstream's recorded activations are not replayed`);
    return undefined;
  }
  const read = (name: string): Buffer => readFileSync(join(FOLDER, name));
  const { activations } = JSON.parse(read('activation-simulation.json').toString()) as Pick<
    Recordings,
    'activations'
  >;
  const { users } = JSON.parse(read('test-identities.json').toString()) as Pick<Recordings, 'users'>;
  return { manifest: read('manifest-activation.json'), activations, users };
}

/** PEM of a key that stands as `der-pkcs8:<base64>` in the recordings. */
export const keyPem = (text: string): string =>
  createPrivateKey({
    key: Buffer.from(text.replace(/^der-pkcs8:/, ''), 'base64'),
    format: 'der',
    type: 'pkcs8',
  })
    .export({ type: 'pkcs8', format: 'pem' })
    .toString();

/** Values that do not depend on keys, times or chance. */
const STABLE = new Set([
  ...['LITERAL', 'FROM_B64', 'NO_TPL', 'COND', 'USER_KEY', 'USER_PLAIN'],
  ...['/conf/literal.txt', '/conf/fromhex', '/conf/notemplate'],
]);

/** What a user uploaded before; not the same as in the recording, whose private key is not known. */
const UPLOADED = new Set(['/user.crt']);

/** What can be compared of an answer: names, fixed values as they are, of the others what kind of thing they are. */
export function comparable({ argv, env, files }: Parameters): object {
  const shapes = (values: ReadonlyMap<string, Buffer>) =>
    Object.fromEntries(
      [...values]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, value]) => [
          name,
          STABLE.has(name) ? value.toString() : UPLOADED.has(name) ? 'uploaded by a user' : shape(value),
        ]),
    );
  return { argv, env: shapes(env), files: shapes(files) };
}

export const recordedParameters = ({ parameters }: RecordedActivation): Parameters => ({
  argv: parameters!.argv,
  env: decoded(parameters!.envBase64),
  files: decoded(parameters!.filesBase64),
});

const decoded = (values: Readonly<Record<string, string>>): Map<string, Buffer> =>
  new Map(Object.entries(values).map(([name, value]) => [name, Buffer.from(value, 'base64')]));

function shape(value: Buffer | string): unknown {
  const text = value.toString();
  if (text.startsWith('{"')) return objectShape(JSON.parse(text) as object);
  if (text.startsWith('-----BEGIN')) return pemShape(text);
  if (/^([0-9a-f]{2})+$/.test(text)) return `hex of ${text.length / 2} bytes`;
  if (/^[A-Za-z0-9+/]{8,}={0,2}$/.test(text)) return `base64 of ${Buffer.from(text, 'base64').length} bytes`;
  const bytes = Buffer.from(value);
  // Certificates differ in length by the lengths of their signatures and serial numbers.
  return bytes[0] === 0x30 && bytes.length > 200
    ? certificateShape(new X509Certificate(bytes))
    : `${bytes.length} bytes`;
}

function objectShape(value: object): unknown {
  return Object.entries(value).map(([name, member]: [string, unknown]) => [
    name,
    typeof member === 'string'
      ? shape(member)
      : typeof member === 'object' && member !== null
        ? objectShape(member)
        : member,
  ]);
}

const pemShape = (text: string): unknown =>
  (text.match(/-----BEGIN ([A-Z ]+)-----[^-]+-----END \1-----\n?/g) ?? []).map((block) => {
    if (block.includes('CERTIFICATE')) return certificateShape(new X509Certificate(block));
    if (!block.includes('PRIVATE KEY')) return block.split('\n')[0];
    const { asymmetricKeyType, asymmetricKeyDetails } = createPrivateKey(block);
    return { asymmetricKeyType, ...asymmetricKeyDetails };
  });

function certificateShape(certificate: X509Certificate): object {
  const { subject, issuer, subjectAltName, ca, keyUsage, publicKey, raw } = certificate;
  return {
    subject,
    issuer,
    subjectAltName,
    ca,
    keyUsage,
    key: publicKey.asymmetricKeyDetails?.namedCurve ?? publicKey.asymmetricKeyType,
    days: Math.round((Date.parse(certificate.validTo) - Date.parse(certificate.validFrom)) / 86_400_000),
    marbleType: /06052bcd2f020104..((?:[2-7][0-9a-f])+?)(?=300a0608)/.exec(raw.toString('hex'))?.[1],
  };
}
