import { inconsistent } from './aesm-messages.js';

/** Of `sgx_att_key_id_ext_t` (linux-sgx, sgx_quote.h), packed: offsets of what tells keys apart. */
export const KEY_ID_BYTES = 256;
const MRSIGNER_LENGTH_AT = 4;
const PROD_ID_AT = 54;
const ALGORITHM_AT = 154;
const ECDSA_P256 = 2;
/** QE3 signs SGX quotes; the quoting enclave of TDX has 2. */
const QE3_PROD_ID = 1;

/**
 * The key of QE3 among those that the daemon offers (EPID's may be there as well).
 *
 * @param ids as `getSupportedAttKeyIDs` gives them, one behind the other. @throws SiegelError QUOTING_INCONSISTENT
 */
export function ecdsaKeyId(ids: Buffer): Buffer {
  if (ids.length === 0 || ids.length % KEY_ID_BYTES !== 0)
    throw inconsistent('AESM_KEYS_MALFORMED', `${ids.length} bytes of key ids`);
  for (let at = 0; at < ids.length; at += KEY_ID_BYTES) {
    const id = ids.subarray(at, at + KEY_ID_BYTES);
    const suits =
      id.readUInt16LE(MRSIGNER_LENGTH_AT) === 32 &&
      id.readUInt32LE(PROD_ID_AT) === QE3_PROD_ID &&
      id.readUInt32LE(ALGORITHM_AT) === ECDSA_P256;
    if (suits) return id;
  }
  throw inconsistent('AESM_NO_ECDSA_KEY', 'the daemon offers no ECDSA P-256 key of QE3');
}
