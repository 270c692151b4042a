import type { AttestationKind } from './attestation-kind.js';

const SGX_ISSUANCE = `issuancerules
{
    c:[type=="x-ms-sgx-is-debuggable"] => issue(type="is-debuggable", value=c.value);
    c:[type=="x-ms-sgx-mrsigner"] => issue(type="sgx-mrsigner", value=c.value);
    c:[type=="x-ms-sgx-mrenclave"] => issue(type="sgx-mrenclave", value=c.value);
    c:[type=="x-ms-sgx-product-id"] => issue(type="product-id", value=c.value);
    c:[type=="x-ms-sgx-svn"] => issue(type="svn", value=c.value);
    c:[type=="x-ms-attestation-type"] => issue(type="tee", value=c.value);
};
`;

function text(debugClaim: string, debug: boolean, issuance: string): string {
  const deny = debug ? '' : `    [type=="${debugClaim}", value==true] => deny();\n`;
  return `version= 1.0;\nauthorizationrules\n{\n${deny}    => permit();\n};\n${issuance}`;
}

/**
 * The policy of a tenant that states none: as Microsoft's default, with the six claims of old names, but for debug enclaves, which that
 * one lets in. Which TCB is accepted is not the policy's to loosen (see TenantConditions).
 */
export function defaultPolicy(kind: AttestationKind, debug: boolean): string {
  return kind === 'TdxVm'
    ? text('tdx_td_attributes_debug', debug, 'issuancerules\n{\n};\n')
    : text('x-ms-sgx-is-debuggable', debug, SGX_ISSUANCE);
}
