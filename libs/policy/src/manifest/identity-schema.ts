import { z } from 'zod';
import { FORMATS } from './formats.js';
import { list, text } from './schema-parts.js';

const SVN = z.int().min(0).max(65_535);
const measurement = (what: string) => list(text(FORMATS.bytes48), 64).describe(what);

/**
 * Which enclaves are this workload. Within one entry every field that is present must hold; lists hold alternatives.
 * SGX: `mrenclave`, or `mrsigner` with `isvprodid` and `isvsvn` (Intel SDM vol. 3D §39). TDX: `mrtd` with RTMRs.
 */
export const IdentitySchema = z
  .strictObject({
    mrenclave: list(text(FORMATS.mrenclave), 256)
      .optional()
      .describe('Accepted MRENCLAVE values: the exact code'),
    mrsigner: list(text(FORMATS.mrsigner), 64)
      .optional()
      .describe('Accepted MRSIGNER values: SHA-256 of the signing key'),
    isvprodid: z
      .union([SVN, list(SVN, 64)])
      .optional()
      .describe('Accepted ISVPRODID, the product of a signer: a number or a list'),
    isvsvn: SVN.optional().describe('Lowest accepted ISVSVN, the security version'),
    isvsvnMax: SVN.optional().describe('Highest accepted ISVSVN'),
    configid: list(text(FORMATS.bytes64), 64)
      .optional()
      .describe('Accepted CONFIGID (KSS), chosen at enclave start'),
    configsvn: SVN.optional().describe('Lowest accepted CONFIGSVN (KSS)'),
    isvextprodid: list(text(FORMATS.bytes16), 64).optional().describe('Accepted ISVEXTPRODID (KSS)'),
    isvfamilyid: list(text(FORMATS.bytes16), 64).optional().describe('Accepted ISVFAMILYID (KSS)'),
    mrtd: measurement('Accepted MRTD: the initial contents of a trust domain').optional(),
    rtmr0: measurement('Accepted RTMR0').optional(),
    rtmr1: measurement('Accepted RTMR1').optional(),
    rtmr2: measurement('Accepted RTMR2').optional(),
    rtmr3: measurement('Accepted RTMR3').optional(),
    mrseam: measurement('Accepted MRSEAM: the TDX module').optional(),
    mrconfigid: measurement('Accepted MRCONFIGID').optional(),
    mrowner: measurement('Accepted MROWNER').optional(),
    mrownerconfig: measurement('Accepted MROWNERCONFIG').optional(),
    claims: z
      .record(text(FORMATS.claimName), list(text(FORMATS.claimBytes), 64))
      .optional()
      .describe('Accepted values of attested claims (DICE evidence of RA-TLS certificates), as hex'),
    mrservicetd: measurement('Accepted MRSERVICETD; without it a bound service TD is refused').optional(),
  })
  .meta({ anyOf: [{ required: ['mrenclave'] }, { required: ['mrsigner'] }, { required: ['mrtd'] }] });

export type Identity = z.infer<typeof IdentitySchema>;

/** Identity fields that only SGX enclaves and only trust domains have. */
export const SGX_FIELDS = [
  'mrenclave',
  'mrsigner',
  'isvprodid',
  'isvsvn',
  'isvsvnMax',
  'configid',
  'configsvn',
  'isvextprodid',
  'isvfamilyid',
] as const satisfies readonly (keyof Identity)[];
export const TDX_FIELDS = [
  'mrtd',
  'rtmr0',
  'rtmr1',
  'rtmr2',
  'rtmr3',
  'mrseam',
  'mrconfigid',
  'mrowner',
  'mrownerconfig',
  'mrservicetd',
] as const satisfies readonly (keyof Identity)[];
