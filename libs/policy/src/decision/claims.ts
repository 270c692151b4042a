/**
 * What a verified quote says, as the verifier reports it: hex in lower case, dates in ISO 8601. A field that is absent can satisfy no
 * condition on it. `undefined` counts as absent, so that a verifier's report can be passed on as it is.
 */
export interface AttestedClaims {
  readonly tee: 'sgx' | 'tdx';
  readonly mrenclave?: string | undefined;
  readonly mrsigner?: string | undefined;
  readonly isvProdId?: number | undefined;
  readonly isvSvn?: number | undefined;
  readonly debug: boolean;
  /** Converged TCB status in Intel's words; any other word is accepted by no policy. */
  readonly tcbStatus: string;
  readonly advisoryIds: readonly string[];
  readonly fmspc?: string | undefined;
  /** True if the trust root is a simulated one. */
  readonly simulated: boolean;
  /** 64 bytes, hex. Checked against the bound key by the caller (`checkBinding` of #evidence). */
  readonly reportData: string;
  readonly configId?: string | undefined;
  readonly configSvn?: number | undefined;
  readonly isvExtProdId?: string | undefined;
  readonly isvFamilyId?: string | undefined;
  readonly tcbEvaluationDataNumber?: number | undefined;
  readonly tcbDate?: string | undefined;
  readonly mrtd?: string | undefined;
  /** RTMR0 to RTMR3. */
  readonly rtmrs?: readonly string[] | undefined;
  readonly mrSeam?: string | undefined;
  readonly mrConfigId?: string | undefined;
  readonly mrOwner?: string | undefined;
  readonly mrOwnerConfig?: string | undefined;
  readonly mrServiceTd?: string | undefined;
  /** The quoting enclave's identifier of its machine. */
  readonly qeId?: string | undefined;
  readonly ppidSha256?: string | undefined;
  readonly platformInstanceId?: string | undefined;
  readonly sgxType?: string | undefined;
  readonly dynamicPlatform?: boolean | undefined;
  readonly cachedKeys?: boolean | undefined;
  readonly smtEnabled?: boolean | undefined;
  /** Claims that the enclave chose itself and its report data covers (DICE evidence), as hex by name. */
  readonly customClaims?: Readonly<Record<string, string>> | undefined;
}
