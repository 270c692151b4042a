import { DcapError, parsePckCertificate, parseQuote, splitPemChain, stripOpenEnclaveHeader } from '#dcap';
import type { Condition } from '#policy';
import type { InfrastructureProperties } from '../interface.js';

/** What a verified quote says of its platform. */
export interface Platform {
  /** 16 component SVNs of the PCK certificate. */
  readonly tcbComponents: Buffer;
  /** ISVSVN of the quoting enclave. */
  readonly qeSvn: number;
  readonly pceSvn: number;
  /** DER. */
  readonly rootCa: Buffer;
}

/**
 * Reads the platform from evidence that a verifier has just verified. Only quotes that bring their PCK chain say it all (certification
 * data of type 5, as all runtimes of marbles make them); undefined for others.
 */
export function platformOf(evidence: Uint8Array): Platform | undefined {
  try {
    const { report, certification } = parseQuote(stripOpenEnclaveHeader(evidence)).qe;
    if (certification.type !== 5) return undefined;
    const chain = splitPemChain(certification.raw);
    const { sgx } = parsePckCertificate(chain[0]!);
    return {
      tcbComponents: sgx.tcbComponents,
      qeSvn: report.isvSvn,
      pceSvn: sgx.pceSvn,
      rootCa: chain.at(-1)!,
    };
  } catch (error) {
    if (error instanceof DcapError) return undefined;
    throw error;
  }
}

/**
 * Whether the platform is one of those that the manifest names; which upstream reads and does not enforce (reference §0.9). Without any,
 * every platform is.
 */
export function judgeInfrastructure(
  infrastructures: ReadonlyMap<string, InfrastructureProperties>,
  platform: Platform | undefined,
): Condition | undefined {
  if (infrastructures.size === 0) return undefined;
  const matching = platform && [...infrastructures].find(([, expected]) => matches(expected, platform));
  return {
    name: 'Infrastructures',
    expected: [...infrastructures].map(([name, expected]) => describe(name, expected)).slice(0, 32),
    actual: matching ? matching[0] : platform ? describe('this platform', shown(platform)) : null,
    ok: matching !== undefined,
  };
}

function matches({ cpuSvn, qeSvn, pceSvn, rootCa }: InfrastructureProperties, platform: Platform): boolean {
  return (
    (cpuSvn === undefined || cpuSvn.every((minimum, at) => (platform.tcbComponents[at] ?? -1) >= minimum)) &&
    (qeSvn === undefined || platform.qeSvn >= qeSvn) &&
    (pceSvn === undefined || platform.pceSvn >= pceSvn) &&
    (rootCa === undefined || rootCa.length === 0 || certificateOf(rootCa).equals(platform.rootCa))
  );
}

function certificateOf(bytes: Buffer): Buffer {
  if (!bytes.toString('latin1').startsWith('-----BEGIN CERTIFICATE-----')) return bytes;
  try {
    return splitPemChain(bytes)[0]!;
  } catch (error) {
    if (error instanceof DcapError) return bytes;
    throw error;
  }
}

const shown = ({ tcbComponents, qeSvn, pceSvn }: Platform): InfrastructureProperties => ({
  cpuSvn: tcbComponents,
  qeSvn,
  pceSvn,
  rootCa: undefined,
});

function describe(name: string, { cpuSvn, qeSvn, pceSvn, rootCa }: InfrastructureProperties): string {
  const parts = [
    ...(cpuSvn === undefined ? [] : [`CPUSVN ${cpuSvn.toString('hex')}`]),
    ...(qeSvn === undefined ? [] : [`QESVN ${qeSvn}`]),
    ...(pceSvn === undefined ? [] : [`PCESVN ${pceSvn}`]),
    ...(rootCa === undefined || rootCa.length === 0 ? [] : ['RootCA']),
  ];
  return `${name.slice(0, 64)}: ${parts.join(', ') || 'any'}`;
}
