import type { MaaTenant } from './tenants-file.js';

/** `GET /.well-known/openid-configuration`, with the members of Microsoft's; tokens are not revoked, they end. */
export function openIdConfiguration({ issuer }: MaaTenant) {
  return {
    response_types_supported: ['token', 'none'],
    id_token_signing_alg_values_supported: ['RS256'],
    revocation_endpoint: `${issuer}/revoke`,
    issuer,
    jwks_uri: `${issuer}/certs`,
    claims_supported: ['is-debuggable', 'sgx-mrsigner', 'sgx-mrenclave', 'product-id', 'svn', 'tee'],
  };
}
