/** Where the agent gets evidence of its own enclave. */
export interface EvidenceProvider {
  /** Kind of attestation in the MAA protocol. */
  readonly kind: 'SgxEnclave' | 'TdxVm';
  /**
   * A quote over 64 bytes of report data.
   * @throws AgentError EVIDENCE_UNAVAILABLE
   */
  quote(reportData: Buffer): Promise<Buffer>;
}

export const REPORT_DATA_BYTES = 64;
export const MAX_QUOTE_BYTES = 32 * 1024;
