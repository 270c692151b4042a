import type { RaTlsDialect } from '../dialect.js';
import { bareQuote } from '../quote-layout.js';

/**
 * Gramine's own extension, in all versions since 1.0. Its identifier is meant to be 1.2.840.113741.1337.6, but tag and length are
 * encoded into it once more (0.6.9.42.840.113741.1337.6 as OpenSSL prints it); the peers compare bytes, and so do we.
 */
const OID = '06092a864886f84d8a3906';

export const GRAMINE: RaTlsDialect = {
  name: 'gramine',
  version: 3,
  sha1: false,
  present: ({ extensions }) => extensions.has(OID),
  read: ({ extensions }) => bareQuote(extensions.get(OID)),
};
