import type { Certificate } from './certificate.js';
import type { DcapErrorCode } from './error-catalogue.js';
import { DcapError } from './error.js';

/** A span of time within which something may be relied on; both ends belong to it. Milliseconds since 1970. */
export interface Validity {
  readonly what: string;
  readonly from: number;
  readonly to: number;
  readonly tooEarly: DcapErrorCode;
  readonly tooLate: DcapErrorCode;
}

export function certificateValidity(certificate: Certificate): Validity {
  return {
    what: `the certificate "${certificate.commonName}"`,
    from: certificate.notBefore,
    to: certificate.notAfter,
    tooEarly: 'CERT_NOT_YET_VALID',
    tooLate: 'CERT_EXPIRED',
  };
}

/** Milliseconds of a time; refuses what is no time, since every comparison with NaN is false. */
export function clockOf(at: Date): number {
  const value = at instanceof Date ? at.getTime() : NaN;
  if (Number.isNaN(value))
    throw new DcapError('CLOCK_INVALID', 'the time of verification is not a valid date');
  return value;
}

/** Refuses a time outside any of the spans, by the first that does not hold it. */
export function checkValidity(spans: readonly Validity[], now: number): void {
  for (const { what, from, to, tooEarly, tooLate } of spans) {
    if (now < from) throw new DcapError(tooEarly, `${what} is not valid before ${isoTime(from)}`);
    if (now > to) throw new DcapError(tooLate, `${what} expired at ${isoTime(to)}`);
  }
}

/** `YYYY-MM-DDThh:mm:ssZ`. */
export function isoTime(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}
