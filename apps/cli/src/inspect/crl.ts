import { formatName, parseCrl } from '#dcap';
import { field, present, type Inspection, type Section } from './inspection.js';

const MAX_SHOWN = 200;

/** A certificate revocation list. @throws DcapError CRL_INVALID */
export function inspectCrl(der: Buffer): Inspection {
  return {
    kind: 'crl',
    title: 'Certificate revocation list',
    sections: [crlSection(der, 'CRL')],
    remarks: [],
  };
}

/** @throws DcapError CRL_INVALID */
export function crlSection(der: Buffer, title: string): Section {
  const crl = parseCrl(der);
  const serials = [...crl.revoked];
  const shown = serials.slice(0, MAX_SHOWN);
  return {
    title,
    fields: present(
      field('issuer', formatName(crl.issuer)),
      field('this update', new Date(crl.thisUpdate).toISOString()),
      field('next update', new Date(crl.nextUpdate).toISOString()),
      crl.number === undefined ? undefined : field('number', Number.parseInt(crl.number, 16)),
      field(
        'revoked',
        serials.length,
        serials.length > MAX_SHOWN ? `the first ${MAX_SHOWN} follow` : undefined,
      ),
      shown.length === 0 ? undefined : field('serials', shown),
    ),
  };
}
