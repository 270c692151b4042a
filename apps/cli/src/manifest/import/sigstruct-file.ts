import { isSigstruct, readSigstruct, SIGSTRUCT_BYTES } from '../../inspect/sigstruct.js';
import { identityOf, type SourceNames } from './enclave-identity.js';
import { type Importer, type ImportLine, malformed } from './importer.js';

const NAMES: SourceNames = {
  mrenclave: 'ENCLAVEHASH',
  mrsigner: 'MODULUS',
  isvprodid: 'ISVPRODID',
  isvsvn: 'ISVSVN',
  debug: 'ATTRIBUTES.FLAGS.DEBUG',
};

/** A `.sig` file: the SIGSTRUCT itself (Intel SDM vol. 3D, table "Layout of Enclave Signature Structure"). */
export const SIGSTRUCT: Importer = {
  what: 'a SIGSTRUCT (.sig)',
  maxBytes: SIGSTRUCT_BYTES,
  read: (file, choices) => {
    if (!isSigstruct(file)) throw malformed(`it is no SIGSTRUCT of ${SIGSTRUCT_BYTES} bytes`);
    const { mrenclave, mrsigner, isvprodid, isvsvn, debug, isvextprodid, isvfamilyid, signed } =
      readSigstruct(file);
    if (!signed) throw malformed('its signature does not verify: no processor starts this enclave');
    const kss = { isvextprodid, isvfamilyid };
    const used = Object.fromEntries(Object.entries(kss).filter(([, value]) => !/^0*$/.test(value)));
    const { workload, report } = identityOf(
      { mrenclave, mrsigner, isvprodid, isvsvn, debug, ...used },
      NAMES,
      choices,
    );
    const lines = Object.keys(used).map((field): ImportLine => ({
      path: field.toUpperCase(),
      result: 'mapped',
      note: `identity.${field}`,
    }));
    return { workload, report: [...report, ...lines] };
  },
};
