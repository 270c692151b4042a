import { type ErrorCode, type ReleasePayload, SiegelError } from '#contracts';
import { GRAMINE_STRING_BYTES, type GramineEncoding, type Grants, type SecretGrant } from '#policy';
import type { Carrier } from '../../pipeline/interface.js';

/** One protocol run's look at the grant: which one message goes out, and whether it can. */
export class SecretCarrier implements Carrier {
  #message: Buffer | undefined;

  /** @param firstUse throws SiegelError where this client was served before; asked once everything else holds */
  constructor(private readonly firstUse: () => void) {}

  select(grants: Grants): Grants {
    const { gramine } = grants;
    if (!gramine) {
      throw refusal(
        'RELEASE_DENIED',
        'GRAMINE_NOT_GRANTED',
        'the manifest does not say what this workload receives by Secret Provisioning; give it a "gramine" section',
      );
    }
    this.firstUse();
    // The client's key lives for this one connection: a certificate for it would be of no use to the application.
    const { certificate: _certificate, argv: _argv, ...rest } = grants;
    const { secret } = gramine;
    if (secret === undefined) return { ...rest, secrets: grants.secrets.filter(({ as }) => as !== 'argv') };
    return { ...rest, env: {}, secrets: grants.secrets.filter(({ objectAlias }) => objectAlias === secret) };
  }

  accept(payload: ReleasePayload, grants: Grants): void {
    this.#message = messageOf(payload, grants);
  }

  /** What the client receives; there once the pipeline has granted. */
  get message(): Buffer {
    if (this.#message === undefined) throw new SiegelError('INTERNAL');
    return this.#message;
  }
}

function messageOf(payload: ReleasePayload, { gramine, secrets }: Grants): Buffer {
  if (!gramine) throw new SiegelError('INTERNAL');
  const [only] = secrets;
  if (gramine.delivery === 'json-bundle') return text(Buffer.from(bundleOf(payload)), 'the bundle');
  const name = gramine.secret ?? '';
  if (secrets.length !== 1 || only === undefined) {
    throw refusal(
      'RELEASE_DENIED',
      'GRAMINE_SECRET_UNCLEAR',
      `${secrets.length} secrets have the alias ${name}`,
    );
  }
  const value = bytesOf(payload, only);
  switch (gramine.delivery) {
    case 'env-string':
      return text(value, name);
    case 'raw16':
      return sixteen(decoded(value, gramine.encoding, name), name);
    case 'hex16':
      return Buffer.from(`${sixteen(decoded(value, gramine.encoding, name), name).toString('hex')}\0`);
    case 'raw': {
      const bytes = decoded(value, gramine.encoding, name);
      if (bytes.length === 0) throw unusable('GRAMINE_SECRET_EMPTY', `${name} is empty`);
      return bytes;
    }
  }
}

/** `{"env": {NAME: text}, "files": {path: base64}}`. */
function bundleOf({ env, files }: ReleasePayload): string {
  return JSON.stringify({
    env,
    files: Object.fromEntries(files.map(({ path, content }) => [path, content])),
  });
}

function bytesOf(payload: ReleasePayload, { as, objectAlias, path }: SecretGrant): Buffer {
  if (as === 'env') return Buffer.from(payload.env[objectAlias] ?? '');
  const file = payload.files.find((each) => each.path === (path ?? `/run/secrets/${objectAlias}`));
  return Buffer.from(file?.content ?? '', 'base64');
}

/** A C string. What is behind a NUL would be lost; what is longer is refused by the client with a number. */
function text(bytes: Buffer, name: string): Buffer {
  if (bytes.includes(0)) throw unusable('SECRET_NOT_TEXT', `${name} contains NUL, and is to be a string`);
  if (bytes.length > GRAMINE_STRING_BYTES) {
    throw unusable(
      'GRAMINE_SECRET_TOO_LONG',
      `${name} has ${bytes.length} bytes; Gramine takes strings of ${GRAMINE_STRING_BYTES}`,
    );
  }
  return Buffer.concat([bytes, Buffer.of(0)]);
}

function sixteen(bytes: Buffer, name: string): Buffer {
  if (bytes.length === 16) return bytes;
  throw unusable(
    'GRAMINE_KEY_SIZE',
    `${name} has ${bytes.length} bytes, a key of Gramine exactly 16; see "encoding" if the vault holds it as text`,
  );
}

function decoded(bytes: Buffer, encoding: GramineEncoding, name: string): Buffer {
  if (encoding === 'none') return bytes;
  const written = bytes.toString('latin1');
  const plain =
    encoding === 'hex' ? written.toLowerCase() : written.replaceAll('-', '+').replaceAll('_', '/');
  const value = Buffer.from(plain, encoding);
  const again = value.toString(encoding);
  const same = encoding === 'hex' ? again === plain : again.replace(/=+$/, '') === plain.replace(/=+$/, '');
  if (!same) throw unusable('GRAMINE_ENCODING', `${name} is not ${encoding}, as the manifest says`);
  return value;
}

const refusal = (error: ErrorCode, code: string, message: string): SiegelError =>
  new SiegelError(error, { reason: { code, message } });
const unusable = (code: string, message: string): SiegelError => refusal('SECRET_UNUSABLE', code, message);
