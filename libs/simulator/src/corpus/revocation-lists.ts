import type { DcapErrorCode } from '#dcap';
import { EXTENSION_OIDS, intelName, NAMES, type Extension } from '../certificate.js';
import { crlNumberExtension, issueCrl, type CrlProfile } from '../crl.js';
import { pckCrlProfile, rootCrlProfile, type SimulatedBundle } from '../collateral.js';
import { boolean, integer, oid, pem, sequence } from '../der-writer.js';
import { bundleCase, collateralCase, flipped, overwritten, type BrokenCase, type Scene } from './evidence.js';

type Slot = 'root_ca_crl' | 'pck_crl';
const SLOTS: Slot[] = ['root_ca_crl', 'pck_crl'];
const OTHER: Record<Slot, Slot> = { root_ca_crl: 'pck_crl', pck_crl: 'root_ca_crl' };

const profileOf = (slot: Slot, made: Scene): CrlProfile =>
  slot === 'root_ca_crl'
    ? rootCrlProfile(made.sgx.pki, made.sgx.now())
    : pckCrlProfile(made.sgx.pki, made.platform.ca, made.sgx.now());

function issued(
  name: string,
  code: DcapErrorCode,
  changes: (profile: CrlProfile, made: Scene) => Partial<CrlProfile>,
): BrokenCase[] {
  return SLOTS.map((slot) =>
    bundleCase(`crl/${slot}: ${name}`, code, (bundle, made) => {
      const profile = profileOf(slot, made);
      return { ...bundle, [slot]: issueCrl({ ...profile, ...changes(profile, made) }).toString('hex') };
    }),
  );
}

function text(
  name: string,
  code: DcapErrorCode,
  edit: (hex: string, bundle: SimulatedBundle, slot: Slot) => string,
): BrokenCase[] {
  return SLOTS.map((slot) =>
    bundleCase(`crl/${slot}: ${name}`, code, (bundle) => ({
      ...bundle,
      [slot]: edit(bundle[slot], bundle, slot),
    })),
  );
}

const without = (profile: CrlProfile, id: string): Extension[] =>
  profile.extensions.filter((each) => each.oid !== id);
const critical = (id: string): Extension => ({ oid: id, critical: true, value: sequence() });
const DAY = 86_400_000;
const SHA384 = sequence(oid('1.2.840.10045.4.3.3'));

/** What is delivered in place of a list: absent, unreadable, or the wrong one. */
const deliveries: BrokenCase[] = [
  ...text('empty', 'CRL_MISSING', () => ''),
  ...SLOTS.map((slot) =>
    bundleCase(`crl/${slot}: absent`, 'CRL_MISSING', (bundle) =>
      Object.fromEntries(Object.entries(bundle).filter(([name]) => name !== slot)),
    ),
  ),
  ...text('not hex', 'CRL_INVALID', () => 'zz'.repeat(100)),
  ...text('an odd number of digits', 'CRL_INVALID', (hex) => hex.slice(0, -1)),
  ...text('a space inside', 'CRL_INVALID', (hex) => `${hex.slice(0, 40)} ${hex.slice(40)}`),
  ...text('a line end after it', 'CRL_INVALID', (hex) => `${hex}\n`),
  ...text('random bytes', 'CRL_INVALID', () => 'a5'.repeat(300)),
  ...text('PEM instead of hex', 'CRL_INVALID', (hex) => pem('X509 CRL', Buffer.from(hex, 'hex'))),
  ...text('base64 instead of hex', 'CRL_INVALID', (hex) => Buffer.from(hex, 'hex').toString('base64')),
  ...text('truncated', 'CRL_INVALID', (hex) => hex.slice(0, hex.length / 2 - ((hex.length / 2) % 2))),
  ...text('bytes after it', 'CRL_INVALID', (hex) => `${hex}00`),
  ...text('a certificate', 'CRL_INVALID', (_, bundle) =>
    Buffer.from((bundle.tcb_info_issuer_chain.split('-----')[2] ?? '').replace(/\s/g, ''), 'base64').toString(
      'hex',
    ),
  ),
  ...text('the other list', 'CRL_ISSUER_MISMATCH', (_, bundle, slot) => bundle[OTHER[slot]]),
];

const authority: BrokenCase[] = [
  ...issued('issuer of another name', 'CRL_ISSUER_MISMATCH', () => ({
    issuer: intelName('Intel SGX Some CA'),
  })),
  ...issued('issuer of another organization', 'CRL_ISSUER_MISMATCH', (_, made) => ({
    issuer: intelName(made.platform.ca === 'platform' ? NAMES.platform : NAMES.processor, 'Intel Corp'),
  })),
  ...issued('the other PCK CA’s', 'CRL_ISSUER_MISMATCH', (profile, made) => {
    const { processor } = made.sgx.pki;
    return { issuer: processor.profile.subject, signer: processor.key, extensions: profile.extensions };
  }),
  ...issued('signed by a stranger', 'CRL_SIGNATURE_INVALID', (_, made) => ({ signer: made.strangerKey })),
  ...issued('signed by the TCB signer', 'CRL_SIGNATURE_INVALID', (_, made) => ({
    signer: made.sgx.pki.tcbSigner.key,
  })),
  ...issued('signed by the other CA', 'CRL_SIGNATURE_INVALID', (profile, made) => ({
    signer: profile.signer === made.sgx.pki.root.key ? made.sgx.pki.platform.key : made.sgx.pki.root.key,
  })),
  ...issued('signature changed', 'CRL_SIGNATURE_INVALID', () => ({
    editSignature: (signature) => flipped(signature, -1),
  })),
  ...issued('signature zero', 'CRL_SIGNATURE_INVALID', () => ({
    editSignature: () => sequence(integer(0), integer(0)),
  })),
  ...text('a date changed', 'CRL_SIGNATURE_INVALID', (hex) => {
    // The year of nextUpdate: the last UTCTime of the list.
    const bytes = Buffer.from(hex, 'hex');
    const at = bytes.lastIndexOf(Buffer.from([0x17, 0x0d]));
    return overwritten(bytes, at + 3, Buffer.from('9')).toString('hex');
  }),
];

const validity: BrokenCase[] = [
  ...issued('expired', 'CRL_EXPIRED', (_, made) => ({
    nextUpdate: new Date(made.sgx.now().getTime() - DAY),
  })),
  ...issued('expired two years ago', 'CRL_EXPIRED', (_, made) => ({
    thisUpdate: new Date(made.sgx.now().getTime() - 760 * DAY),
    nextUpdate: new Date(made.sgx.now().getTime() - 730 * DAY),
  })),
  ...issued('expired a second ago', 'CRL_EXPIRED', (_, made) => ({
    nextUpdate: new Date(made.sgx.now().getTime() - 1000),
  })),
  ...issued('of tomorrow', 'CRL_NOT_YET_VALID', (_, made) => ({
    thisUpdate: new Date(made.sgx.now().getTime() + DAY),
  })),
  ...issued('without nextUpdate', 'CRL_INVALID', () => ({ nextUpdate: null })),
];

const contents: BrokenCase[] = [
  ...issued('version 1', 'CRL_INVALID', () => ({ version: null })),
  ...issued('version 3', 'CRL_INVALID', () => ({ version: 2 })),
  ...issued('signature algorithm SHA-384', 'CRL_INVALID', () => ({
    innerAlgorithm: SHA384,
    outerAlgorithm: SHA384,
  })),
  ...issued('signature algorithms that differ', 'CRL_INVALID', () => ({ innerAlgorithm: SHA384 })),
  ...issued('without a CRL number', 'CRL_INVALID', (profile) => ({
    extensions: without(profile, EXTENSION_OIDS.crlNumber),
  })),
  ...issued('without the authority key id', 'CRL_INVALID', (profile) => ({
    extensions: without(profile, EXTENSION_OIDS.authorityKeyId),
  })),
  ...issued('without extensions', 'CRL_INVALID', () => ({ extensions: [] })),
  ...issued('a CRL number twice', 'CRL_INVALID', (profile) => ({
    extensions: [...profile.extensions, crlNumberExtension(5)],
  })),
  ...issued('a CRL number of 21 bytes', 'CRL_INVALID', (profile) => ({
    extensions: [
      { oid: EXTENSION_OIDS.crlNumber, value: integer(Buffer.alloc(21, 1)) },
      ...without(profile, EXTENSION_OIDS.crlNumber),
    ],
  })),
  ...issued('an unknown critical extension', 'CRL_INVALID', (profile) => ({
    extensions: [...profile.extensions, critical('1.2.3.4.5')],
  })),
  ...issued('only a delta', 'CRL_INVALID', (profile) => ({
    extensions: [...profile.extensions, { oid: '2.5.29.27', critical: true, value: integer(1) }],
  })),
  ...issued('only a part (issuing distribution point)', 'CRL_INVALID', (profile) => ({
    extensions: [...profile.extensions, critical('2.5.29.28')],
  })),
  ...issued('an entry with an unknown critical extension', 'CRL_INVALID', () => ({
    revoked: [
      { serial: Buffer.from([1]), extensions: [{ oid: '1.2.3.4.5', critical: true, value: boolean(true) }] },
    ],
  })),
  ...issued('an entry whose certificate issuer is another', 'CRL_INVALID', () => ({
    revoked: [{ serial: Buffer.from([1]), extensions: [critical('2.5.29.29')] }],
  })),
  ...issued('an entry with a serial number of 21 bytes', 'CRL_INVALID', () => ({
    revoked: [{ serial: Buffer.alloc(21, 0x11) }],
  })),
  ...issued('an entry with a negative serial number', 'CRL_INVALID', () => ({
    revoked: [{ serial: Buffer.from([1]) }],
    editTbs: negativeEntry,
  })),
];

/** Turns the entry with serial number 1 into one with −1. */
function negativeEntry(tbs: Buffer): Buffer {
  const at = tbs.indexOf(Buffer.from([0x02, 0x01, 0x01, 0x17, 0x0d]));
  const out = Buffer.from(tbs);
  out[at + 2] = 0xff;
  return out;
}

/** A certificate that is in use, on the list of its issuer. */
function revocations(): BrokenCase[] {
  const leaf = (made: Scene): Buffer => made.platform.pck.profile.serial;
  const many = (serial: Buffer): Buffer[] => [
    ...Array.from({ length: 2000 }, (_, index) => Buffer.from([1, index >> 8, index & 255])),
    serial,
  ];
  const kinds = ['sgx-v3', 'sgx-v4', 'sgx-v5', 'tdx-v4', 'td10-v5', 'td15-v5'] as const;
  return [
    ...kinds.flatMap((kind) => [
      collateralCase('revoked/PCK', 'PCK_REVOKED', (made) => ({ revokedPcks: [leaf(made)] }), kind),
      collateralCase(
        'revoked/PCK CA',
        'INTERMEDIATE_CA_REVOKED',
        (made) => ({ revokedByRoot: [made.sgx.pki.platform.profile.serial] }),
        kind,
      ),
      collateralCase(
        'revoked/TCB signer',
        'TCB_SIGNER_REVOKED',
        (made) => ({ revokedByRoot: [made.sgx.pki.tcbSigner.profile.serial] }),
        kind,
      ),
    ]),
    collateralCase('revoked/PCK behind 2,000 others', 'PCK_REVOKED', (made) => ({
      revokedPcks: many(leaf(made)),
    })),
    collateralCase('revoked/PCK before 2,000 others', 'PCK_REVOKED', (made) => ({
      revokedPcks: many(leaf(made)).reverse(),
    })),
    ...([0, 4, 5, 6, 8, 9] as const).map((reason) =>
      collateralCase(`revoked/PCK for reason ${reason}`, 'PCK_REVOKED', (made) => ({
        revokedPcks: [{ serial: leaf(made), reason }],
      })),
    ),
    collateralCase('revoked/PCK without a reason', 'PCK_REVOKED', (made) => ({
      revokedPcks: [{ serial: leaf(made), reason: null }],
    })),
    collateralCase('revoked/PCK as of tomorrow', 'PCK_REVOKED', (made) => ({
      revokedPcks: [{ serial: leaf(made), date: new Date(made.sgx.now().getTime() + DAY) }],
    })),
    collateralCase('revoked/PCK twice on the list', 'PCK_REVOKED', (made) => ({
      revokedPcks: [leaf(made), leaf(made)],
    })),
    collateralCase('revoked/PCK in the year 2050', 'PCK_REVOKED', (made) => ({
      revokedPcks: [{ serial: leaf(made), date: new Date('2050-01-01T00:00:00Z') }],
    })),
  ];
}

/** The lists and chain of the Processor CA with a PCK of the Platform CA. */
const otherCa: BrokenCase[] = (['sgx-v3', 'tdx-v4'] as const).map((kind) =>
  collateralCase('crl/list and chain of the other PCK CA', 'PCK_CA_MISMATCH', { ca: 'processor' }, kind),
);

export const REVOCATION_LIST_CASES: BrokenCase[] = [
  ...deliveries,
  ...authority,
  ...validity,
  ...contents,
  ...revocations(),
  ...otherCa,
];
