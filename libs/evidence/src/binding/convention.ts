/** Length of REPORTDATA in SGX reports and TDX TD reports, in bytes (Intel SDM vol. 3D, table 39-21). */
export const REPORT_DATA_BYTES = 64;

/** What a convention promises about the 64 bytes of report data. */
export interface BindingProperties {
  /** True if the report data commits to a public key, so that a secret may be sealed to that key. */
  readonly bindsKey: boolean;
  /** True if a server's challenge can be committed to as well, so that freshness can be demanded. */
  readonly bindsChallenge: boolean;
  /** What the enclave hashed besides or around the key, and a caller has to send. */
  readonly carries?: keyof Omit<BindingInput, 'spki' | 'nonce'>;
  /** The rule in one line, for documentation and explanations. */
  readonly rule: string;
}

/**
 * The implemented conventions that connect a quote to a key or to a challenge. A manifest names one of
 * them; a request that names another, or none, is refused. Conventions of wrappers are added here.
 */
export const BINDINGS = {
  'sha256-spki': {
    bindsKey: true,
    bindsChallenge: true,
    rule: '[0,32) = SHA-256(SPKI DER); [32,64) = SHA-256(challenge), or zero without a challenge',
  },
  'sha512-spki': {
    bindsKey: true,
    bindsChallenge: false,
    rule: '[0,64) = SHA-512(SPKI DER)',
  },
  'sha512-cert': {
    bindsKey: true,
    bindsChallenge: false,
    carries: 'certificate',
    rule: '[0,64) = SHA-512(certificate DER), the certificate being that of the key (SCONE: channel certificate of the runtime)',
  },
  'sha512-rsa-der': {
    bindsKey: true,
    bindsChallenge: false,
    rule:
      '[0,64) = SHA-512(RSA public key DER), either RSAPublicKey (PKCS #1) or SubjectPublicKeyInfo: which of them Anjuna hashes is ' +
      'not documented',
  },
  'sha256-runtime-data': {
    bindsKey: true,
    bindsChallenge: true,
    carries: 'runtimeData',
    rule:
      '[0,32) = SHA-256(runtime data), [32,64) = zero; the runtime data is the SPKI (DER or PEM) or JSON with the key ' +
      'in "keys" (JWKS) and the challenge, base64url, in "nonce"',
  },
  'trustee-runtime-data': {
    bindsKey: true,
    bindsChallenge: true,
    carries: 'runtimeData',
    rule:
      '[0,48) = SHA-384(runtime data), [48,64) = zero; the runtime data is canonical JSON with the key in "tee-pubkey" and the ' +
      'challenge, base64, in "nonce" (Trustee KBS protocol)',
  },
  'fortanix-config': {
    bindsKey: true,
    bindsChallenge: false,
    carries: 'configId',
    rule:
      '[0,32) = SHA-256(0x01, SHA-256(SPKI DER), configuration id), [32,64) = configuration id; without a configuration ' +
      '[0,32) = SHA-256(SPKI DER), [32,64) = zero (Fortanix em-app: get_user_data)',
  },
  'dice-claims': {
    bindsKey: true,
    bindsChallenge: false,
    carries: 'claims',
    rule:
      '[0,32) = SHA-256(serialized CBOR claims), [32,64) = zero; the claims hold the hash of the SPKI DER in "pubkey-hash" ' +
      '(TCG DICE tagged evidence in an RA-TLS certificate)',
  },
  'aecs-pem': {
    bindsKey: true,
    bindsChallenge: false,
    carries: 'runtimeData',
    rule:
      '[0,32) = zero; [32,64) = SHA-256(the text "-----BEGIN RSA PUBLIC KEY-----…" of the key, exactly as sent) ' +
      '(AECS: unified attestation without user data)',
  },
  'raw-nonce': {
    bindsKey: false,
    bindsChallenge: true,
    rule: '[0,n) = challenge of n = 16 to 64 bytes, then zeros; no key is bound',
  },
} as const satisfies Record<string, BindingProperties>;

export type BindingConvention = keyof typeof BINDINGS;

/** Names of all implemented conventions, in a stable order. */
export const BINDING_CONVENTIONS = Object.freeze(Object.keys(BINDINGS)) as readonly BindingConvention[];

export function isBindingConvention(name: string): name is BindingConvention {
  return Object.hasOwn(BINDINGS, name);
}

/** Why a binding does not hold. */
export type BindingErrorCode =
  /** The convention is absent, or none of those listed in BINDINGS. */
  | 'BINDING_UNKNOWN'
  /** The report data is something else than the convention demands. */
  | 'BINDING_MISMATCH'
  /** The key is bound but the challenge is not, or the convention has no room for a challenge. */
  | 'CHALLENGE_NOT_BOUND'
  /** The runtime data is bound to the quote, but the presented key is not in it. */
  | 'KEY_NOT_IN_RUNTIME_DATA'
  /** The presented key is not the one that the claims name. */
  | 'KEY_NOT_IN_CLAIMS'
  /** The presented key is not the one that the certificate certifies. */
  | 'KEY_NOT_IN_CERTIFICATE'
  /** An input is missing, empty, or of an impossible length. */
  | 'BINDING_INPUT_INVALID';

/** Thrown by {@link expectedReportData} when no report data could satisfy the convention with these inputs. */
export class BindingError extends Error {
  override readonly name = 'BindingError';
  constructor(
    readonly code: BindingErrorCode,
    message: string,
  ) {
    super(message);
  }
}

/** What the caller claims that the enclave put into its report data. */
export interface BindingInput {
  /** SubjectPublicKeyInfo, DER. Required by every convention that binds a key. */
  readonly spki?: Uint8Array | undefined;
  /** The server's challenge as raw bytes, if one was used. */
  readonly nonce?: Uint8Array | undefined;
  /** The runtime data exactly as hashed by the enclave (conventions `sha256-runtime-data` and `trustee-runtime-data`). */
  readonly runtimeData?: Uint8Array | undefined;
  /** The serialized claims exactly as hashed by the enclave (convention `dice-claims` only). */
  readonly claims?: Uint8Array | undefined;
  /** DER of the certificate that the enclave hashed (convention `sha512-cert` only). */
  readonly certificate?: Uint8Array | undefined;
  /** SHA-256 of the application configuration, 32 bytes (convention `fortanix-config` only). */
  readonly configId?: Uint8Array | undefined;
}
