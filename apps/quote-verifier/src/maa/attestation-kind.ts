/** Kinds of attestation of this API that are served here, in its spelling. */
export const ATTESTATION_KINDS = ['SgxEnclave', 'OpenEnclave', 'TdxVm'] as const;
export type AttestationKind = (typeof ATTESTATION_KINDS)[number];

const BY_NAME = new Map(ATTESTATION_KINDS.map((kind) => [kind.toLowerCase(), kind]));

/** Clients disagree on the letter case of the path. */
export const attestationKind = (name: string): AttestationKind | undefined => BY_NAME.get(name.toLowerCase());
