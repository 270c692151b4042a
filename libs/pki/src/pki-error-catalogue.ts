interface CatalogueEntry {
  readonly meaning: string;
  readonly remedy: string;
}

const entry = (meaning: string, remedy: string): CatalogueEntry => ({ meaning, remedy });

/** Every code that a `PkiError` can carry, with its meaning and what the person who meets it can do. */
export const PKI_ERRORS = {
  // Public keys
  KEY_MALFORMED: entry(
    'The public key is not a DER SubjectPublicKeyInfo',
    'Send the key as DER SPKI, one object with nothing after it.',
  ),
  KEY_NOT_CANONICAL: entry(
    'The public key is not in its one canonical encoding',
    'Use named curves, uncompressed points and minimal DER lengths.',
  ),
  KEY_UNSUPPORTED: entry(
    'The kind of public key is not accepted',
    'Use P-256, P-384, P-521, Ed25519, X25519 or RSA.',
  ),
  KEY_WEAK: entry(
    'The public key is too weak',
    'Use RSA of 2048 to 4096 bits with an odd exponent from 65537, or a curve point of full order.',
  ),
  KEY_NOT_ON_CURVE: entry(
    'The public key is not a point on its curve',
    'Generate the key again; this one was damaged or forged.',
  ),
  KEY_NOT_USABLE: entry(
    'The key cannot do what is asked of it',
    'Signing keys cannot receive sealed data and agreement keys cannot hold a TLS certificate; use P-256 for both.',
  ),
  JWK_MALFORMED: entry(
    'The JWK is not valid',
    'Send kty and its required members, base64url without padding, of full field length.',
  ),
  JWK_PRIVATE: entry(
    'The JWK contains private key members',
    'Send only the public members, and replace the key: it has been disclosed.',
  ),
  // Key files and signers
  KEY_FILE_NOT_FOUND: entry(
    'The key file does not exist',
    'Check the path, or let the service create the key.',
  ),
  KEY_FILE_EXISTS: entry(
    'The key file exists already',
    'Keys are never overwritten; rotate, or move the old file away.',
  ),
  KEY_FILE_PERMISSIONS: entry(
    'Others than its owner can read the key file',
    'chmod 600 the file, and consider the key disclosed if others had access.',
  ),
  KEY_FILE_INVALID: entry(
    'The key file holds no usable private key',
    'Restore the file from its backup: one PEM PKCS#8 key, P-256 or Ed25519.',
  ),
  KEY_FILE_IO: entry(
    'The key file cannot be read or written',
    'Check the directory, its owner and the space left.',
  ),
  SIGNER_FAILED: entry(
    'The signer gave no usable signature',
    'See the cause; a remote signer may be out of reach or not permitted.',
  ),
  SIGNING_KEY_MISSING: entry(
    'No signing key is in force',
    'Check the clock and the directory of the signing keys.',
  ),
  // Certificate authority
  CA_STATE_INVALID: entry(
    "The certificate authority's stored state is not consistent",
    'Restore the directory from its backup; the message names the file.',
  ),
  CA_EXPIRED: entry(
    "The certificate authority's root is not valid at this time",
    'Check the clock; a root past its end has to be replaced.',
  ),
  LEAF_TTL_OUT_OF_BOUNDS: entry(
    'The requested certificate lifetime is out of bounds',
    "Ask for a lifetime between the authority's minimum and maximum.",
  ),
  NAME_INVALID: entry(
    'A name for the certificate is not valid',
    'Use lower-case LDH DNS names, plain IP addresses, absolute ASCII URIs.',
  ),
  NAME_MISSING: entry(
    'The certificate would name nobody',
    'Give at least one DNS name, IP address, URI or SPIFFE ID.',
  ),
  NAMES_TOO_MANY: entry('The certificate would carry too many names', 'Keep to 100 names.'),
  SPIFFE_ID_INVALID: entry(
    'The SPIFFE ID is not valid in this trust domain',
    'spiffe://<trust domain>/<path> by the SPIFFE ID specification, and no other URI beside it.',
  ),
  CSR_MALFORMED: entry(
    'The certificate request is not valid PKCS#10',
    'Send one PEM or DER request with nothing after it.',
  ),
  CSR_TOO_LARGE: entry(
    'The certificate request is too large',
    'Keep the request below the limit in the message.',
  ),
  CSR_SIGNATURE_INVALID: entry(
    "The certificate request's signature does not verify",
    'Sign the request with the key that it contains.',
  ),
  // JWS and JWT
  JWT_TOO_LARGE: entry('The token is too large', 'Keep the token below the limit in the message.'),
  JWT_MALFORMED: entry(
    'The token is not a compact JWS with a JSON header',
    'Send header.payload.signature, base64url without padding.',
  ),
  JWT_ALG_REFUSED: entry(
    "The token's algorithm is not the one of the key",
    "Sign with the algorithm that the key's owner has published.",
  ),
  JWT_KEY_UNKNOWN: entry(
    "The token's key is not known or no longer accepted",
    'Get a new token; check kid against the published JWKS.',
  ),
  JWT_TYP_REFUSED: entry(
    "The token's typ is not the expected one",
    'Use the token for the purpose that it was issued for.',
  ),
  JWT_CRITICAL_HEADER: entry(
    'The token demands an extension that is not understood',
    'Send tokens without crit and b64.',
  ),
  JWT_SIGNATURE_INVALID: entry("The token's signature does not verify", 'Get a new token.'),
  JWT_CLAIM_INVALID: entry(
    'A claim of the token is missing or has the wrong type',
    'The message names the claim.',
  ),
  JWT_EXPIRED: entry('The token has expired', 'Get a new token.'),
  JWT_NOT_YET_VALID: entry('The token is not valid yet', 'Check the clocks of both sides.'),
  JWT_LIFETIME_REFUSED: entry(
    'The token lives longer than is allowed',
    'Issue tokens with a shorter lifetime.',
  ),
  JWT_ISSUER_REFUSED: entry(
    'The token is from another issuer',
    'Get a token from the issuer that this service trusts.',
  ),
  JWT_AUDIENCE_REFUSED: entry('The token is for another audience', 'Get a token for this service.'),
  // JWE
  JWE_TOO_LARGE: entry('The data to seal or to open is too large', 'Keep it below the limit in the message.'),
  JWE_MALFORMED: entry(
    'The sealed message is not a compact JWE',
    'Send the five parts, base64url without padding.',
  ),
  JWE_ALG_REFUSED: entry(
    "The sealed message's algorithms are not the ones of the key",
    'ECDH-ES for curve keys, RSA-OAEP-256 for RSA, A256GCM, no compression.',
  ),
  JWE_OPEN_FAILED: entry(
    'The sealed message cannot be opened with this key',
    'It was sealed to another key, or changed on the way.',
  ),
  // DPoP (RFC 9449)
  DPOP_TOO_LARGE: entry('The DPoP proof is too large', 'Keep the proof below the limit in the message.'),
  DPOP_MALFORMED: entry(
    'The DPoP proof is not a valid compact JWS',
    'Build the proof as RFC 9449 section 4.2 says.',
  ),
  DPOP_TYP_REFUSED: entry("The DPoP proof's typ is not dpop+jwt", 'Set typ to dpop+jwt.'),
  DPOP_ALG_REFUSED: entry(
    "The DPoP proof's algorithm does not fit its key",
    'ES256 for P-256, ES384, ES512, EdDSA, PS256 or RS256 by kind of key.',
  ),
  DPOP_KEY_REFUSED: entry(
    "The DPoP proof's jwk is missing or not accepted",
    'Put the public JWK into the header.',
  ),
  DPOP_KEY_PRIVATE: entry(
    "The DPoP proof's jwk contains private members",
    'Send only the public members, and replace the key: it has been disclosed.',
  ),
  DPOP_SIGNATURE_INVALID: entry(
    "The DPoP proof's signature does not verify",
    'Sign the proof with the key in its header.',
  ),
  DPOP_CLAIM_INVALID: entry(
    'A claim of the DPoP proof is missing or has the wrong type',
    'The message names the claim.',
  ),
  DPOP_METHOD_MISMATCH: entry(
    'The DPoP proof is for another HTTP method',
    "Set htm to the request's method.",
  ),
  DPOP_URL_MISMATCH: entry(
    'The DPoP proof is for another URL',
    "Set htu to the request's URL without query and fragment.",
  ),
  DPOP_TOO_OLD: entry('The DPoP proof is too old', 'Make a new proof for each request; check the clock.'),
  DPOP_FROM_FUTURE: entry('The DPoP proof is from the future', 'Check the clock.'),
  DPOP_TOKEN_MISMATCH: entry(
    'The DPoP proof is for another access token',
    'Set ath to the base64url SHA-256 of the access token.',
  ),
  DPOP_KEY_MISMATCH: entry(
    'The DPoP proof is signed by another key than the token is bound to',
    'Use the key that was attested.',
  ),
  DPOP_NONCE_REQUIRED: entry(
    'The DPoP proof needs a nonce',
    'Repeat the request with the nonce of the DPoP-Nonce header.',
  ),
  DPOP_NONCE_REFUSED: entry(
    "The DPoP proof's nonce is not accepted",
    'Repeat the request with the nonce of the DPoP-Nonce header.',
  ),
  DPOP_REPLAYED: entry(
    'The DPoP proof has been used before',
    'Make a new proof with a new jti for each request.',
  ),
  DPOP_REPLAY_CACHE_FULL: entry(
    'The server cannot tell whether the DPoP proof is a replay',
    'Try again in a moment; the operator should raise the bound of the replay cache.',
  ),
  // Challenges
  CHALLENGE_MALFORMED: entry(
    'The challenge is not one of this service',
    'Send the challenge exactly as it was given.',
  ),
  CHALLENGE_FORGED: entry(
    "The challenge's authentication code is wrong, or its key is retired",
    'Ask for a new challenge.',
  ),
  CHALLENGE_EXPIRED: entry('The challenge has expired', 'Ask for a new challenge and use it at once.'),
  CHALLENGE_FROM_FUTURE: entry('The challenge was minted in the future', "Check the servers' clocks."),
  CHALLENGE_REPLAYED: entry(
    'The challenge has been used before',
    'Ask for a new challenge for each attestation.',
  ),
  CHALLENGE_CACHE_FULL: entry(
    'The server cannot tell whether the challenge was used before',
    'Try again in a moment; the operator should raise the bound of the replay cache.',
  ),
  // Settings
  SETTING_INVALID: entry('A setting of the library is out of range', 'The message names the setting.'),
} as const satisfies Record<string, CatalogueEntry>;

/** The closed set of error codes. */
export type PkiErrorCode = keyof typeof PKI_ERRORS;
