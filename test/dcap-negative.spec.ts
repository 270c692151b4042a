import { describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  collateralKeyOf,
  DcapError,
  parseCertificate,
  parseCollateralBundle,
  parseQeIdentity,
  parseQuote,
  parseTcbInfo,
  splitPemChain,
  splitSignedDocument,
  stripOpenEnclaveHeader,
  verifyQuote,
} from '#dcap';
import type { CollateralBundle } from '#dcap';

const VECTORS = join(process.cwd(), '..', 'shared', 'vectors');
const present = existsSync(VECTORS);
if (!present) console.warn(`no vectors at ${VECTORS}: the negative ones are not tested here`);
const whenPresent = present ? it : it.skip;

const bytes = (...path: string[]): Buffer => readFileSync(join(VECTORS, 'negative', ...path));
const text = (...path: string[]): string => bytes(...path).toString('utf8');
const filesOf = (folder: string): string[] => (present ? readdirSync(join(VECTORS, 'negative', folder)) : []);

function outcome(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    return error instanceof DcapError ? error.code : 'a raw error';
  }
  return 'accepted';
}

function documentOutcome(folder: string, file: string): string {
  const isTcbInfo = /tcb_?info/i.test(file);
  return outcome(() => {
    const { body } = splitSignedDocument(text(folder, file), isTcbInfo ? 'tcbInfo' : 'enclaveIdentity');
    return isTcbInfo ? parseTcbInfo(body) : parseQeIdentity(body);
  });
}

/** Well-formed documents among the malformed ones. */
const WELL_FORMED = [
  'openenclave/tcbInfo_v2/tcbInfo_with_pceid.json',
  'openenclave/qeIdentity_v2/qe_identity_ok.json',
  'openenclave/qeIdentity_v2/qe_identity_with_advisoryids.json',
  'openenclave/qeIdentity_v2/qve_identity_ok.json',
];

/** TCB info of version 1 is of no use to DCAP today: all of it is refused, mostly by its version. */
const CODES: Record<string, RegExp> = {
  'openenclave/tcbInfo': /^TCB_INFO_(INVALID|VERSION_UNSUPPORTED)$/,
  'openenclave/tcbInfo_v2': /^TCB_INFO_INVALID$/,
  'openenclave/qeIdentity': /^QE_IDENTITY_INVALID$/,
  'openenclave/qeIdentity_v2': /^QE_IDENTITY_INVALID$/,
};

describe("Open Enclave's malformed documents", () => {
  const all = Object.keys(CODES).flatMap((folder) => filesOf(folder).map((file) => [folder, file] as const));

  it.each(all.length === 0 ? [['', ''] as const] : all)('%s/%s', (folder, file) => {
    if (folder === '') return expect(present).toBe(false);
    const expected = WELL_FORMED.includes(`${folder}/${file}`) ? /^accepted$/ : (CODES[folder] as RegExp);
    expect(documentOutcome(folder, file)).toMatch(expected);
  });
});

function bundleFor(owner: string, name: string, file: string): CollateralBundle {
  return parseCollateralBundle(readFileSync(join(VECTORS, 'quotes', owner, name, file), 'utf8'));
}

describe('quotes that do not verify', () => {
  whenPresent(
    "Open Enclave's bad report, behind its header, is of another platform than the collateral",
    () => {
      const bundle = bundleFor(
        'Azure-Samples+microsoft-azure-attestation',
        'e9f0aad4-enclave.info.release',
        'collateral-2025-06-23-v3-ev19.json',
      );
      const evidence = bytes('openenclave/host_verify/sgx_report_bad.bin');
      expect(collateralKeyOf(parseQuote(stripOpenEnclaveHeader(evidence))).fmspc).toBe('00906ea10000');
      expect(verifyQuote(evidence, bundle, { at: new Date('2025-06-23T02:31:00Z') }).verified).toBe(false);
    },
  );

  whenPresent.each([
    ['openenclave/host_verify/tdx_endorsement.bin', 'QUOTE_KEY_TYPE_UNSUPPORTED'],
    ['openenclave/host_verify/sgx_cert_ec_bad.der', 'QUOTE_VERSION_UNSUPPORTED'],
    ['openenclave/host_verify/sgx_cert_rsa_bad.der', 'QUOTE_VERSION_UNSUPPORTED'],
  ])('%s is no quote', (file, code) => {
    expect(outcome(() => parseQuote(stripOpenEnclaveHeader(bytes(file))))).toBe(code);
  });

  whenPresent.each(['sgx_cert_ec_bad.der', 'sgx_cert_rsa_bad.der'])(
    '%s is no certificate of this PKI',
    (file) => {
      expect(outcome(() => parseCertificate(bytes('openenclave/host_verify', file)))).toMatch(
        /^(CERT|DER)_INVALID$/,
      );
    },
  );

  whenPresent('a quote with an encrypted PPID needs its PCK to be looked up', () => {
    const quote = bytes('oasis/quote_v3_ecdsa_p256_eppid.bin');
    expect(parseQuote(quote).qe.certification.type).toBe(3);
    const bundle = bundleFor(
      'matter-labs+teepot',
      'ba71c6bc-sgx_quote_fmspc',
      'collateral-2023-06-11-v3-ev15.json',
    );
    expect(verifyQuote(quote, bundle, { at: new Date('2023-06-11T10:48:01Z') }).error?.code).toBe(
      'PCK_LOOKUP_REQUIRED',
    );
  });

  whenPresent('zero padding after a quote is reported and changes nothing', () => {
    const padded = bytes('oasis/quote_v4_tdx_ecdsa_p256_trailing.bin');
    expect(parseQuote(padded).trailingPadding).toBe(70);
    const file = 'collateral-2025-11-22-v3-ev18.json';
    const name = '9606fc4c-quote_v4_tdx_ecdsa_p256_trailing';
    const bundle = bundleFor('oasisprotocol+oasis-core', name, file);
    const at = new Date('2025-11-22T06:00:52Z');
    expect(verifyQuote(padded, bundle, { at })).toMatchObject({
      verified: true,
      tcbStatus: 'OutOfDate',
      trailingPadding: 70,
    });
    const other = Buffer.concat([padded.subarray(0, -1), Buffer.from([1])]);
    expect(verifyQuote(other, bundle, { at }).error?.code).toBe('QUOTE_TRAILING_DATA');
  });
});

describe("Oasis' bad issuer chain", () => {
  whenPresent('does not sign TCB info', () => {
    const base = bundleFor(
      'matter-labs+teepot',
      'ba71c6bc-sgx_quote_fmspc',
      'collateral-2023-06-11-v3-ev15.json',
    );
    const { body, signature } = splitSignedDocument(
      text('oasis/tcb_info_v3_fmspc_00606A000000.json'),
      'tcbInfo',
    );
    const quote = readFileSync(join(VECTORS, 'quotes/matter-labs+teepot/ba71c6bc-sgx_quote_fmspc/quote.bin'));
    const verdict = (chain: string): string | undefined =>
      verifyQuote(
        quote,
        { ...base, tcb_info: body, tcb_info_signature: signature, tcb_info_issuer_chain: chain },
        { at: new Date('2023-06-11T10:48:01Z') },
      ).error?.code;
    const good = text('oasis/tcb_info_v3_fmspc_00606A000000_certs.pem');
    expect(splitPemChain(good).length).toBe(2);
    // The good chain gets as far as the date; the bad one is the chain of a PCK CA.
    expect(verdict(good)).toBe('TCB_INFO_EXPIRED');
    expect(verdict(text('oasis/tcb_info_v3_fmspc_00606A000000_certs_bad.pem'))).toBe('CERT_ROLE_INVALID');
  });
});
