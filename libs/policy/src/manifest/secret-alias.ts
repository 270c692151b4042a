import type { SecretEntry } from './schema.js';

/** The name under which a secret is delivered: its alias, or the object's name where the manifest gives none. */
export const secretAlias = ({ objectAlias, objectName }: SecretEntry): string => objectAlias ?? objectName;
