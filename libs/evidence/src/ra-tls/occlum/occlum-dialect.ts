import type { RaTlsDialect } from '../dialect.js';
import { bareQuote } from '../quote-layout.js';

/** 1.2.840.113741.1, in certificates of version 1 that are signed with SHA-1: Occlum's grpc_ratls. */
const OID = '2a864886f84d01';

export const OCCLUM: RaTlsDialect = {
  name: 'occlum',
  version: 1,
  sha1: true,
  present: ({ extensions }) => extensions.has(OID),
  read: ({ extensions }) => bareQuote(extensions.get(OID)),
};
