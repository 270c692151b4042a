import { VaultError, type VaultErrorDetails } from './errors.js';
import { OBJECT_LIMITS } from './object-names.js';
import type { UpdateSecretProperties } from './secret-source.js';

/**
 * The limits that Key Vault puts on attributes, so that what the embedded vault takes can later move to Azure.
 * @throws VaultError SECRET_CONTENT_INVALID
 */
export function checkProperties(properties: UpdateSecretProperties, details: VaultErrorDetails): void {
  const refuse = (why: string): never => {
    throw new VaultError('SECRET_CONTENT_INVALID', why, details);
  };
  if ((properties.contentType?.length ?? 0) > OBJECT_LIMITS.contentTypeChars) {
    refuse(`a content type has at most ${OBJECT_LIMITS.contentTypeChars} characters`);
  }
  const tags = Object.entries(properties.tags ?? {});
  if (tags.length > OBJECT_LIMITS.tags) refuse(`an object has at most ${OBJECT_LIMITS.tags} tags`);
  for (const [key, value] of tags) {
    if (key.length > OBJECT_LIMITS.tagKeyChars || value.length > OBJECT_LIMITS.tagValueChars) {
      refuse(`tag "${key.slice(0, 40)}" is longer than ${OBJECT_LIMITS.tagKeyChars} characters`);
    }
  }
  const { notBefore, expiresOn } = properties;
  for (const date of [notBefore, expiresOn]) {
    if (date && Number.isNaN(date.getTime())) refuse('a date is not a date');
  }
  if (notBefore && expiresOn && expiresOn <= notBefore)
    refuse('the expiry time must lie after the not-before time');
}
