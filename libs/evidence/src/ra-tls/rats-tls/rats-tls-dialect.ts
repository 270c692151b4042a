import type { RaTlsDialect } from '../dialect.js';
import { EvidenceError } from '../evidence-error.js';
import { bareQuote } from '../quote-layout.js';

/** 1.2.840.113741.1337.6 (SGX) and .8 (TDX): rats-tls until the end of 2022. Later versions speak DICE. */
const QUOTES = ['2a864886f84d8a3906', '2a864886f84d8a3908'];
/** .14 (SGX report), .20, .22, .24 (SEV-SNP, SEV, CSV). */
const OTHERS = ['0e', '14', '16', '18'].map((arc) => `2a864886f84d8a39${arc}`);

export const RATS_TLS: RaTlsDialect = {
  name: 'rats-tls',
  version: 3,
  sha1: false,
  present: ({ extensions }) => [...QUOTES, ...OTHERS].some((oid) => extensions.has(oid)),
  read: ({ extensions }) => {
    const found = [...QUOTES, ...OTHERS].filter((oid) => extensions.has(oid));
    if (found.length > 1) throw new EvidenceError('EVIDENCE_AMBIGUOUS');
    if (!QUOTES.includes(found[0] ?? '')) throw new EvidenceError('EVIDENCE_UNSUPPORTED');
    return bareQuote(extensions.get(found[0] ?? ''));
  },
};
