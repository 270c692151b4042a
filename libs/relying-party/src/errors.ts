/** Why a token is not believed, or why it cannot be judged: a stable code, what it means, what to do. */
export interface RelyingPartyErrorEntry {
  readonly meaning: string;
  readonly remedy: string;
}

const entry = (meaning: string, remedy: string): RelyingPartyErrorEntry => ({ meaning, remedy });

export const RELYING_PARTY_ERRORS = {
  // What the caller configured
  KEYS_MALFORMED: entry(
    'The pinned keys are no JWKS with signature keys of which each has a kid.',
    'Pin what the issuer serves: its jwks.json or /certs, fetched over a channel that you trust.',
  ),
  KEY_UNSUPPORTED: entry(
    'A pinned key is too weak, or of a kind that no attestation token is signed with.',
    'Pin RSA keys of 2048 bits or more, or P-256 keys.',
  ),
  REQUIREMENTS_INCOMPLETE: entry(
    'It is not said which enclaves are meant, or what binds the token to the peer.',
    'Require a measurement, or a signer with product and minimum version; name a key, runtime data or report data.',
  ),
  CLOCK_INVALID: entry('There is no valid time to judge by.', 'Give the present time.'),
  // The token as such
  TOKEN_TOO_LARGE: entry('The token is larger than any attestation token.', 'Refuse the peer.'),
  TOKEN_MALFORMED: entry('This is no compact signed token (RFC 7515).', 'Refuse the peer.'),
  TOKEN_UNSIGNED: entry(
    'The token says that it is not signed.',
    'Refuse the peer: anybody can write such a token.',
  ),
  CRITICAL_HEADER: entry('The token has critical header members, which are not known.', 'Refuse the peer.'),
  TYPE_REFUSED: entry(
    'The token is of another type than attestation tokens of its issuer.',
    'Refuse the peer.',
  ),
  ISSUER_UNKNOWN: entry(
    'The issuer of the token is none that is pinned.',
    'Refuse the peer, or pin the issuer with its keys if you trust it.',
  ),
  KEY_UNKNOWN: entry(
    'The token names a key that is not pinned for its issuer.',
    'If the issuer rotated its keys, pin its present ones. Keys in the header of a token are never used.',
  ),
  ALGORITHM_REFUSED: entry('The algorithm is another than that of the pinned key.', 'Refuse the peer.'),
  SIGNATURE_INVALID: entry('The signature is not that of the pinned key.', 'Refuse the peer.'),
  // Its registered claims
  CLAIM_MISSING: entry('A claim is missing that must be there.', 'Refuse the peer, or require less.'),
  CLAIM_MALFORMED: entry('A claim is of another type than it must be.', 'Refuse the peer.'),
  AUDIENCE_REFUSED: entry('The token is for another audience.', 'Refuse the peer.'),
  TOKEN_EXPIRED: entry('The token has expired.', 'Have the peer attest again; compare the clocks.'),
  TOKEN_NOT_YET_VALID: entry('The token is not valid yet.', 'Compare the clocks.'),
  TOKEN_TOO_OLD: entry('The token was issued too long ago.', 'Have the peer attest again.'),
  LIFETIME_REFUSED: entry(
    'The token lives longer than tokens of this issuer may.',
    "Refuse the peer, or accept the issuer's lifetime.",
  ),
  DRY_RUN_REFUSED: entry('This is the answer to a draft policy, no token.', 'Refuse the peer.'),
  // What it says of the enclave
  TEE_REFUSED: entry('The evidence is of another kind of enclave.', 'Refuse the peer.'),
  MRENCLAVE_REFUSED: entry('The enclave has another measurement.', 'Refuse the peer.'),
  MRSIGNER_REFUSED: entry('The enclave has another signer.', 'Refuse the peer.'),
  PRODUCT_REFUSED: entry('The enclave is another product of its signer.', 'Refuse the peer.'),
  SVN_TOO_LOW: entry('The security version of the enclave is too low.', 'Update the enclave.'),
  MRTD_REFUSED: entry('The TD has another measurement.', 'Refuse the peer.'),
  WORKLOAD_REFUSED: entry('The token is of another workload or tenant.', 'Refuse the peer.'),
  DEBUG_REFUSED: entry('The enclave can be debugged: its memory is open.', 'Refuse the peer.'),
  SIMULATED_REFUSED: entry('The evidence is simulated: no hardware stands behind it.', 'Refuse the peer.'),
  TCB_STATUS_REFUSED: entry(
    'The TCB status of the platform is none that is accepted.',
    'Update the platform.',
  ),
  TCB_STATUS_MISSING: entry(
    'The token does not state the TCB status of the platform.',
    "Tokens of Microsoft's service for SGX never do; accept that by name, or attest with a service that states it.",
  ),
  ADVISORY_REFUSED: entry('An advisory applies to the platform that is refused.', 'Update the platform.'),
  // What it is bound to
  BINDING_MISMATCH: entry(
    'The token is not bound to this key or data.',
    'Refuse the peer: the token is of another.',
  ),
  NONCE_MISMATCH: entry('The token repeats another nonce.', 'Refuse the peer.'),
} as const satisfies Record<string, RelyingPartyErrorEntry>;

export type RelyingPartyErrorCode = keyof typeof RELYING_PARTY_ERRORS;

/** The only error that this library throws for what it is given. */
export class RelyingPartyError extends Error {
  override readonly name = 'RelyingPartyError';
  constructor(
    readonly code: RelyingPartyErrorCode,
    /** What was expected and what is; nothing that a log must not hold. */
    detail?: string,
  ) {
    super(
      detail === undefined
        ? RELYING_PARTY_ERRORS[code].meaning
        : `${RELYING_PARTY_ERRORS[code].meaning} ${detail}`,
    );
  }

  get remedy(): string {
    return RELYING_PARTY_ERRORS[this.code].remedy;
  }
}
