import type { CollateralSummary, QuoteClaims } from '#contracts';

/**
 * What a verdict says of a quote, under the names that Trustee's verifiers give it, so that policies written for those find it. Hex is
 * lower case; numbers of Intel's structures are little-endian hex as upstream writes them, and once more as numbers, which can be compared.
 */
export function evidenceClaims(
  claims: QuoteClaims,
  collateral: CollateralSummary | undefined,
  now: Date,
): object {
  return {
    ...(claims.tee === 'sgx' ? enclave(claims) : trustDomain(claims)),
    ...platform(claims),
    ...(collateral ? collateralClaims(collateral, now) : {}),
  };
}

/** TEE type in the header of TDX quotes, little-endian. */
const TDX_TEE_TYPE = '81000000';

function enclave(claims: QuoteClaims): object {
  const { attributes, isvProdId, isvSvn, configSvn } = claims;
  return {
    header: { version: littleEndian(claims.quoteVersion) },
    body: present({
      mr_enclave: claims.mrenclave,
      mr_signer: claims.mrsigner,
      isv_prod_id: littleEndian(isvProdId),
      isv_svn: littleEndian(isvSvn),
      isv_ext_prod_id: claims.isvExtProdId,
      isv_family_id: claims.isvFamilyId,
      config_id: claims.configId,
      config_svn: littleEndian(configSvn),
      'attributes.flags': attributes?.slice(0, 16),
      'attributes.xfrm': attributes?.slice(16),
      report_data: claims.reportData,
    }),
    ...present({ isv_prod_id: isvProdId, isv_svn: isvSvn, config_svn: configSvn }),
    debug: claims.debug,
    init_data: claims.configId,
  };
}

function trustDomain(claims: QuoteClaims): object {
  const [rtmr0, rtmr1, rtmr2, rtmr3] = claims.rtmrs ?? [];
  return {
    quote: {
      header: { version: littleEndian(claims.quoteVersion), tee_type: TDX_TEE_TYPE },
      body: present({
        mr_td: claims.mrtd,
        mr_seam: claims.mrSeam,
        mr_config_id: claims.mrConfigId,
        mr_owner: claims.mrOwner,
        mr_owner_config: claims.mrOwnerConfig,
        mr_servicetd: claims.mrServiceTd,
        td_attributes: claims.tdAttributes,
        rtmr_0: rtmr0,
        rtmr_1: rtmr1,
        rtmr_2: rtmr2,
        rtmr_3: rtmr3,
        report_data: claims.reportData,
      }),
    },
    td_attributes: { debug: claims.debug },
    init_data: claims.mrConfigId,
  };
}

function platform(claims: QuoteClaims): object {
  return present({
    report_data: claims.reportData,
    tcb_status: claims.tcbStatus,
    tcb_date: claims.tcbDate,
    advisory_ids: claims.advisoryIds,
    platform_instance_id: claims.platformInstanceId,
    fmspc: claims.fmspc,
    sgx_type: claims.sgxType,
    is_dynamic_platform: claims.dynamicPlatform,
    is_cached_keys: claims.cachedKeys,
    is_smt_enabled: claims.smtEnabled,
    simulated: claims.simulated,
  });
}

function collateralClaims(collateral: CollateralSummary, now: Date): object {
  const { earliestIssue, earliestExpiration, tcbEvaluationDataNumber } = collateral;
  return {
    earliest_issue_date: earliestIssue,
    earliest_expiration_date: earliestExpiration,
    // As Intel's library writes a flag: "1" where something of it has expired, which the verifier may tolerate for a while.
    collateral_expiration_status: now.getTime() > Date.parse(earliestExpiration) ? '1' : '0',
    tcb_eval_num: tcbEvaluationDataNumber,
  };
}

function littleEndian(value: number | undefined): string | undefined {
  if (value === undefined) return undefined;
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes.toString('hex');
}

function present(members: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
