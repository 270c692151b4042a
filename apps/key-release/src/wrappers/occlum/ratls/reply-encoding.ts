import { carriedExactly, type OcclumAnswerGrant } from '#policy';
import { refusal } from '../../../pipeline/early-refusals.js';
import { writeFields } from '../protobuf.js';

/**
 * The text of a `SecretReply` from which Occlum's client gets exactly these bytes. It takes the text's length for that of the base64 in
 * it: three quarters of it, less the padding at its very end, less one. So what is sent is base64 with characters that its decoder
 * skips: quotes around it (as upstream's server has them) where the length is 3n, a line end where it is 3n + 2. For 3n + 1 there is no
 * such text: the client would write a zero too many.
 *
 * @throws RangeError for 3n + 1
 */
export function exactText(value: Buffer): string {
  const base64 = value.toString('base64');
  if (value.length % 3 === 0) return `"${base64}"`;
  if (!carriedExactly(value.length)) throw new RangeError(`no text gives exactly ${value.length} bytes`);
  return `${base64}\n`;
}

/** The message for one answer: texts of 3n + 1 bytes get a line end, bytes of that length are refused. @throws SiegelError */
export function secretReply(value: Buffer, { name, form }: OcclumAnswerGrant): Buffer {
  let sent = value;
  if (!carriedExactly(value.length)) {
    if (form === 'bytes') {
      const message = `${name} has ${value.length} bytes, which grpc_ratls cannot carry exactly; see "form" in the manifest`;
      throw refusal('SECRET_UNUSABLE', 'OCCLUM_NOT_EXACT', message);
    }
    sent = Buffer.concat([value, Buffer.from('\n')]);
  }
  const message = writeFields([1, exactText(sent)]);
  sent.fill(0);
  value.fill(0);
  return message;
}
