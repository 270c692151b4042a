import type { QuoteClaims } from '#contracts';

/** What a quote of a simulated enclave says, as far as sessions look at it; for tests. */
export const ENCLAVE_CLAIMS = {
  tee: 'sgx',
  quoteVersion: 3,
  tcbStatus: 'UpToDate',
  advisoryIds: [],
  debug: false,
  reportData: '00'.repeat(64),
  fmspc: '00606a000000',
  simulated: true,
} as QuoteClaims;

/** What a session's tokens say of one enclave that attested; for tests. */
export const ATTESTED_SESSION = {
  session: 'b7f4a3c0-0000-4000-8000-000000000000',
  tenant: 'default',
  workload: 'app',
  protocol: 'siegel',
  binding: 'sha256-spki',
  challenge: false,
  manifest: { version: 1, digest: 'x' },
  simulated: true,
  evidence: 'x',
  claims: ENCLAVE_CLAIMS,
};
