/** Why a credential does not count: for the operator's log; whoever sent it is told nothing of it. */
export class CredentialRefused extends Error {
  override readonly name = 'CredentialRefused';
}
