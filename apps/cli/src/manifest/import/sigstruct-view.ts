import { enforcedByProcessor, identityOf, unknownMembers, type SourceNames } from './enclave-identity.js';
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
    const { workload, report } = identityOf(
      {
        mrenclave: members.get('mr_enclave'),
        mrsigner: members.get('mr_signer'),
        isvprodid: members.get('isv_prod_id'),
        isvsvn: members.get('isv_svn'),
        debug: members.get('debug_enclave'),
      },
      NAMES,
      choices,
    );
    const rest = [...members.keys()].filter((name) => !Object.values(NAMES).includes(name));
    return {
      workload,
      report: [
        ...report,
        ...enforcedByProcessor(rest.filter((name) => BESIDE.has(name))),
        ...unknownMembers(rest.filter((name) => !BESIDE.has(name))),
      ],
    };
  },
};
