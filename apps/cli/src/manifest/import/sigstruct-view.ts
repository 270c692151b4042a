import { identityByNames, type SourceNames } from './enclave-identity.js';
import { type Importer, malformed, textOf } from './importer.js';

const NAMES: SourceNames = {
  mrenclave: 'mr_enclave',
  mrsigner: 'mr_signer',
  isvprodid: 'isv_prod_id',
  isvsvn: 'isv_svn',
  debug: 'debug_enclave',
};
const BESIDE = new Set(['attribute_flags', 'attribute_xfrms', 'misc_select', 'date', 'flags', 'xfrms']);

/** Output of `gramine-sgx-sigstruct-view --output-format json`. */
export const SIGSTRUCT_VIEW: Importer = {
  what: 'JSON of gramine-sgx-sigstruct-view --output-format json',
  maxBytes: 64 * 1024,
  read: (file, choices) => {
    let found: unknown;
    try {
      found = JSON.parse(textOf(file));
    } catch (error) {
      if (error instanceof SyntaxError) throw malformed('it is no JSON');
      throw error;
    }
    if (typeof found !== 'object' || found === null || Array.isArray(found))
      throw malformed('it is no object');
    const members = new Map<string, unknown>(Object.entries(found));
    return identityByNames(members, NAMES, BESIDE, choices);
  },
};
