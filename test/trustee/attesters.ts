/** What an attester of the attestation agent is asked for: evidence over 48 bytes, which SGX and TDX pad to 64 with zeros. */
export interface Attester {
  readonly tee: string;
  evidence(reportData: Buffer): unknown;
}

/** SGX and TDX: a DCAP quote, standard base64. */
export const quoting = (tee: 'sgx' | 'tdx', quote: (reportData: Buffer) => Buffer): Attester => ({
  tee,
  evidence: (reportData) => ({
    quote: quote(Buffer.concat([reportData], 64)).toString('base64'),
    ...(tee === 'tdx' ? { cc_eventlog: null } : {}),
  }),
});

export const SAMPLE: Attester = {
  tee: 'sample',
  evidence: (reportData) => ({ svn: '1', report_data: reportData.toString('base64') }),
};
