import { hash } from 'node:crypto';

/** Claim `x-ms-policy-hash`: base64url(SHA-256(UTF-8(base64url(UTF-8(text))))), as Microsoft Azure Attestation has it. */
export function maaPolicyHash(text: string): string {
  return hash('sha256', Buffer.from(text, 'utf8').toString('base64url'), 'base64url');
}
