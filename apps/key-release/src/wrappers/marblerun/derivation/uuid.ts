/** The forms that the UUID of an activation may have (RFC 9562 text, as Go's package google/uuid reads it). */
export class UuidError extends Error {
  override readonly name = 'UuidError';
}

/**
 * The canonical lower-case text of a UUID: plain, as a urn, in braces, or without dashes.
 * @throws UuidError with the message that upstream's clients see
 */
export function canonicalUuid(text: string): string {
  const bytes = Buffer.byteLength(text);
  let digits: string;
  switch (bytes) {
    case 36:
      digits = text;
      break;
    case 45:
      if (text.slice(0, 9).toLowerCase() !== 'urn:uuid:')
        throw new UuidError(`invalid urn prefix: ${JSON.stringify(text.slice(0, 9))}`);
      digits = text.slice(9);
      break;
    case 38:
      if (!text.startsWith('{') || !text.endsWith('}')) throw new UuidError('invalid bracketed UUID format');
      digits = text.slice(1, -1);
      break;
    case 32:
      digits = text.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/s, '$1-$2-$3-$4-$5');
      break;
    default:
      throw new UuidError(`invalid UUID length: ${bytes}`);
  }
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(digits))
    throw new UuidError('invalid UUID format');
  return digits.toLowerCase();
}
