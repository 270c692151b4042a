import type { ReleasePayload, SiegelError } from '#contracts';
import { OCCLUM_IMAGE_KEY_BYTES, occlumLimit, type OcclumAnswerGrant } from '#policy';
import { refusal } from '../../../pipeline/early-refusals.js';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** What `occlum gen-image-key` writes, and the init clients parse. */
const IMAGE_KEY = /^(?:[0-9a-f]{2}-){15}[0-9a-f]{2}$/i;

/**
 * The bytes that the client's file is to hold for one answer.
 *
 * @throws SiegelError SECRET_UNUSABLE with the reason for the operator; the value is in no message
 */
export function secretValue(payload: ReleasePayload, answer: OcclumAnswerGrant): Buffer {
  const given = givenBytes(payload, answer);
  const value = inForm(given, answer);
  given.fill(0);
  const most = occlumLimit(answer.name);
  if (value.length > most) {
    const message = `${answer.name} has ${value.length} bytes; the client's buffer takes ${most}`;
    throw unusable('OCCLUM_SECRET_TOO_LONG', message);
  }
  return value;
}

function givenBytes(payload: ReleasePayload, { secret }: OcclumAnswerGrant): Buffer {
  const { as, objectAlias, path } = secret;
  if (as === 'env') return Buffer.from(payload.env[objectAlias] ?? '');
  const file = payload.files.find((each) => each.path === (path ?? `/run/secrets/${objectAlias}`));
  return Buffer.from(file?.content ?? '', 'base64');
}

function inForm(given: Buffer, answer: OcclumAnswerGrant): Buffer {
  const { name, form, length } = answer;
  if (given.length === 0) throw unusable('OCCLUM_SECRET_EMPTY', `${name} is empty`);
  if (form === 'text') return text(given, name);
  if (form === 'image-key') return imageKey(given, answer);
  const bytes = decoded(given, answer);
  if (bytes.length === 0) throw unusable('OCCLUM_SECRET_EMPTY', `${name} is empty`);
  if (length !== undefined && bytes.length !== length) {
    const message = `${name} has ${bytes.length} bytes, and the manifest says ${length}`;
    throw unusable('OCCLUM_SECRET_LENGTH', message);
  }
  return form === 'bytes' ? bytes : Buffer.from(bytes.toString('base64'));
}

function text(given: Buffer, name: string): Buffer {
  const readable = !given.includes(0) && decodes(given);
  if (!readable) throw unusable('SECRET_NOT_TEXT', `${name} is not text; say form: bytes`);
  return Buffer.from(given);
}

function decodes(bytes: Buffer): boolean {
  try {
    utf8.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function imageKey(given: Buffer, answer: OcclumAnswerGrant): Buffer {
  if (answer.encoding === 'none') {
    const written = given.toString('latin1').replace(/\r?\n$/, '');
    if (IMAGE_KEY.test(written)) return Buffer.from(`${written}\n`);
    const message = `${answer.name} is not what occlum gen-image-key writes; see "encoding" if the vault holds hex or base64`;
    throw unusable('OCCLUM_IMAGE_KEY', message);
  }
  const key = decoded(given, answer);
  if (key.length !== OCCLUM_IMAGE_KEY_BYTES) {
    const message = `${answer.name} has ${key.length} bytes, an image key ${OCCLUM_IMAGE_KEY_BYTES}`;
    throw unusable('OCCLUM_IMAGE_KEY', message);
  }
  const digits = key.toString('hex').match(/../g) ?? [];
  key.fill(0);
  return Buffer.from(`${digits.join('-')}\n`);
}

function decoded(given: Buffer, { encoding, name }: OcclumAnswerGrant): Buffer {
  if (encoding === 'none') return Buffer.from(given);
  const written = given.toString('latin1');
  const plain =
    encoding === 'hex' ? written.toLowerCase() : written.replaceAll('-', '+').replaceAll('_', '/');
  const value = Buffer.from(plain, encoding);
  const unpadded = (one: string): string => (encoding === 'hex' ? one : one.replace(/=+$/, ''));
  if (unpadded(value.toString(encoding)) !== unpadded(plain))
    throw unusable('OCCLUM_ENCODING', `${name} is not ${encoding}, as the manifest says`);
  return value;
}

const unusable = (code: string, message: string): SiegelError => refusal('SECRET_UNUSABLE', code, message);
