import { z } from 'zod';

const time = z.iso.datetime();

/** One epoch of collateral that this replica holds. */
export const HeldEpoch = z.object({
  tee: z.enum(['sgx', 'tdx']),
  fmspc: z.string(),
  ca: z.enum(['platform', 'processor']),
  /** Id of the trust anchor, as in verdicts. */
  trustRoot: z.string(),
  simulated: z.boolean(),
  /** SHA-256 over the content, as in verdicts. */
  id: z.string(),
  source: z.string().describe('The source it was fetched from, by this replica or another'),
  fetchedAt: time,
  refreshAt: time,
  earliestIssue: time,
  earliestExpiration: time,
  /** The lower of those of TCB info and QE identity. */
  tcbEvaluationDataNumber: z.number().int(),
  failure: z.string().optional().describe('Why the last refresh failed, if it did'),
});
export type HeldEpoch = z.infer<typeof HeldEpoch>;

/** Answer of `GET /v1/collateral`. */
export const CollateralReport = z.object({ collateral: z.array(HeldEpoch) });
export type CollateralReport = z.infer<typeof CollateralReport>;

/** Answer of `GET /v1/collateral/{id}`: the bundle format that `siegel verify --collateral` reads. */
export const CollateralDocument = z.object({
  tcb_info: z.string().describe('The exact text that was signed'),
  tcb_info_signature: z.string().describe('r‖s, hex'),
  tcb_info_issuer_chain: z.string().describe('PEM'),
  qe_identity: z.string().describe('The exact text that was signed'),
  qe_identity_signature: z.string().describe('r‖s, hex'),
  qe_identity_issuer_chain: z.string().describe('PEM'),
  root_ca_crl: z.string().describe('DER in hex'),
  pck_crl: z.string().describe('DER in hex'),
  pck_crl_issuer_chain: z.string().describe('PEM'),
});
export type CollateralDocument = z.infer<typeof CollateralDocument>;
