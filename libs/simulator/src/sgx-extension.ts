import { boolean, enumerated, integer, octetString, oid, sequence } from './der-writer.js';
import { EXTENSION_OIDS, type Extension } from './certificate.js';

/** What a PCK certificate says of its platform (Intel SGX PCK Certificate and CRL Profile Specification, §1.3). */
export interface PlatformDescription {
  /** 16 bytes. */
  ppid: Buffer;
  /** 16 component SVNs, 0–255. */
  components: number[];
  pceSvn: number;
  /** 16 bytes; usually equal to the components. */
  cpuSvn: Buffer;
  /** 2 bytes. */
  pceId: Buffer;
  /** 6 bytes. */
  fmspc: Buffer;
  /** 0 Standard, 1 Scalable, 2 Scalable with integrity. */
  sgxType: number;
  /** 16 bytes; only in certificates of the Platform CA, as the configuration. */
  platformInstanceId?: Buffer;
  configuration?: { dynamicPlatform: boolean; cachedKeys: boolean; smtEnabled: boolean };
}

/** One `SEQUENCE { OID, value }` below Intel's arc; `suffix` is what follows `1.2.840.113741.1.13.1`. */
export interface SgxEntry {
  suffix: string;
  value: Buffer;
}

const entry = (suffix: string, value: Buffer): SgxEntry => ({ suffix, value });

export const encodeSgxEntries = (entries: SgxEntry[]): Buffer =>
  sequence(...entries.map((each) => sequence(oid(`${EXTENSION_OIDS.sgx}.${each.suffix}`), each.value)));

/** The 18 tuples of the TCB entry: 16 components, PCESVN, CPUSVN. */
export function tcbEntries(description: PlatformDescription): SgxEntry[] {
  return [
    ...description.components.map((svn, index) => entry(`2.${index + 1}`, integer(svn))),
    entry('2.17', integer(description.pceSvn)),
    entry('2.18', octetString(description.cpuSvn)),
  ];
}

/** The five (Processor CA) or seven (Platform CA) entries, in Intel's order. */
export function sgxEntries(description: PlatformDescription): SgxEntry[] {
  const { platformInstanceId, configuration } = description;
  return [
    entry('1', octetString(description.ppid)),
    entry('2', encodeSgxEntries(tcbEntries(description))),
    entry('3', octetString(description.pceId)),
    entry('4', octetString(description.fmspc)),
    entry('5', enumerated(description.sgxType)),
    ...(platformInstanceId === undefined ? [] : [entry('6', octetString(platformInstanceId))]),
    ...(configuration === undefined
      ? []
      : [
          entry(
            '7',
            encodeSgxEntries([
              entry('7.1', boolean(configuration.dynamicPlatform)),
              entry('7.2', boolean(configuration.cachedKeys)),
              entry('7.3', boolean(configuration.smtEnabled)),
            ]),
          ),
        ]),
  ];
}

export const sgxExtension = (entries: SgxEntry[]): Extension => ({
  oid: EXTENSION_OIDS.sgx,
  value: encodeSgxEntries(entries),
});
