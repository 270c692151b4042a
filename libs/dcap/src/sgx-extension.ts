import { boolean, DerReader, oid, smallInteger, TAG } from './der.js';
import { DcapError } from './error.js';
import { OID_SGX_EXTENSION, parseCertificate } from './certificate.js';
import type { Certificate } from './certificate.js';
import type { SgxType } from './report.js';

/** The SGX extension of a PCK certificate (Intel SGX PCK Certificate and CRL Profile Specification, §1.3.5). */
export interface SgxExtension {
  /** 16 bytes that identify the platform. */
  readonly ppid: Buffer;
  /** The 16 TCB component SVNs: TCB levels are matched against these, not against the CPUSVN of a report. */
  readonly tcbComponents: Buffer;
  readonly pceSvn: number;
  readonly cpuSvn: Buffer;
  /** 4 hex digits, lower case. */
  readonly pceId: string;
  /** 12 hex digits, lower case. */
  readonly fmspc: string;
  readonly sgxType: SgxType;
  /** Platform CA only. */
  readonly platformInstanceId?: Buffer;
  /** Platform CA only. */
  readonly configuration?: {
    readonly dynamicPlatform?: boolean;
    readonly cachedKeys?: boolean;
    readonly smtEnabled?: boolean;
  };
}

const SGX_TYPES: readonly SgxType[] = ['Standard', 'Scalable', 'ScalableWithIntegrity'];

function fail(what: string): never {
  throw new DcapError('SGX_EXTENSION_INVALID', `SGX extension: ${what}`);
}

/** Reads SEQUENCE OF SEQUENCE {OID, value}; each member once, each OID beneath `prefix`. */
class Tuples {
  private readonly members = new Map<number, DerReader>();

  constructor(reader: DerReader, prefix: string, max: number) {
    while (!reader.atEnd) {
      if (this.members.size === max) fail('too many members');
      const tuple = reader.sequence();
      const id = oid(tuple.next(TAG.oid));
      const arc = id.startsWith(`${prefix}.`) ? id.slice(prefix.length + 1) : '';
      if (!/^[1-9]\d?$/.test(arc)) fail(`the member ${id} is unknown`);
      if (this.members.has(Number(arc))) fail(`the member ${id} occurs twice`);
      this.members.set(Number(arc), tuple);
    }
  }

  get size(): number {
    return this.members.size;
  }

  has(arc: number): boolean {
    return this.members.has(arc);
  }

  /** Whether all members are among 1 to `last`. */
  within(last: number): boolean {
    return [...this.members.keys()].every((arc) => arc <= last);
  }

  take<T>(arc: number, read: (tuple: DerReader) => T): T {
    const tuple = this.members.get(arc) ?? fail(`the member ${arc} is missing`);
    const value = read(tuple);
    tuple.end();
    return value;
  }

  octets(arc: number, length: number): Buffer {
    const { value } = this.take(arc, (tuple) => tuple.next(TAG.octetString));
    return value.length === length ? value : fail(`the member ${arc} has not ${length} octets`);
  }

  integer(arc: number, max: number): number {
    return this.take(arc, (tuple) => smallInteger(tuple.next(TAG.integer), max));
  }
}

/** Parses the value of extension 1.2.840.113741.1.13.1. Throws DcapError SGX_EXTENSION_INVALID. */
export function parseSgxExtension(value: Buffer): SgxExtension {
  try {
    return readSgxExtension(value);
  } catch (error) {
    if (error instanceof DcapError && error.code === 'DER_INVALID') fail(error.message);
    throw error;
  }
}

function readSgxExtension(value: Buffer): SgxExtension {
  const members = new Tuples(DerReader.inside(DerReader.exactly(value, TAG.sequence)), OID_SGX_EXTENSION, 7);
  if (members.size !== 5 && members.size !== 7) fail('it has neither 5 nor 7 members');
  const tcb = members.take(2, (tuple) => new Tuples(tuple.sequence(), `${OID_SGX_EXTENSION}.2`, 18));
  if (tcb.size !== 18) fail('its TCB has not 18 members');
  const tcbComponents = Buffer.from(Array.from({ length: 16 }, (_, i) => tcb.integer(i + 1, 255)));
  const sgxType = members.take(
    5,
    (tuple) => SGX_TYPES[smallInteger(tuple.next(TAG.enumerated), 2)] as SgxType,
  );
  return {
    ppid: members.octets(1, 16),
    tcbComponents,
    pceSvn: tcb.integer(17, 0xffff),
    cpuSvn: tcb.octets(18, 16),
    pceId: members.octets(3, 2).toString('hex'),
    fmspc: members.octets(4, 6).toString('hex'),
    sgxType,
    ...(members.size === 7 && {
      platformInstanceId: members.octets(6, 16),
      configuration: members.take(7, (tuple) => readConfiguration(tuple.sequence())),
    }),
  };
}

function readConfiguration(reader: DerReader): NonNullable<SgxExtension['configuration']> {
  const flags = new Tuples(reader, `${OID_SGX_EXTENSION}.7`, 3);
  if (!flags.within(3)) fail('its configuration has a flag that is unknown');
  const flag = (arc: number): boolean => flags.take(arc, (tuple) => boolean(tuple.next(TAG.boolean)));
  return {
    ...(flags.has(1) && { dynamicPlatform: flag(1) }),
    ...(flags.has(2) && { cachedKeys: flag(2) }),
    ...(flags.has(3) && { smtEnabled: flag(3) }),
  };
}

/** A PCK certificate with its SGX extension read. */
export interface PckCertificate {
  readonly certificate: Certificate;
  readonly sgx: SgxExtension;
}

/** Parses the DER of a PCK certificate. Throws DcapError; checks no signature. */
export function parsePckCertificate(der: Uint8Array): PckCertificate {
  const certificate = parseCertificate(der);
  const { sgx } = certificate.extensions;
  return { certificate, sgx: sgx === undefined ? fail('it is missing') : parseSgxExtension(sgx) };
}
