/**
 * What a relying party checks of an attestation token before it trusts the peer that shows it: Siegel's own tokens, and those in the
 * protocol of Microsoft Azure Attestation, whoever issues them. Pure, on node:crypto alone: publishable without the rest of Siegel.
 *
 *     const verifier = new TokenVerifier([{ kind: 'maa', issuer: 'https://attest.example', jwks }]);
 *     const { facts } = verifier.verify(token, {
 *       now: new Date(),
 *       identity: { mrenclave: ['9f86…'] },
 *       binding: { key: peerKey },
 *     });
 */
export type { Binding } from './binding.js';
export { MAX_TOKEN_CHARACTERS, type Members } from './compact-token.js';
export { RELYING_PARTY_ERRORS, RelyingPartyError } from './errors.js';
export type { RelyingPartyErrorCode, RelyingPartyErrorEntry } from './errors.js';
export type { AttestedFacts, TokenKind } from './facts.js';
export { thumbprintOf } from './pinned-keys.js';
export type { IdentityRequirements, PlatformRequirements, Requirements } from './requirements.js';
export { TokenVerifier } from './token-verifier.js';
export type { Expectations, PinnedIssuer, VerifiedToken } from './token-verifier.js';
