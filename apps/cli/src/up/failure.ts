/** Something a person can put right; printed as one sentence, without a stack. */
export class StartFailure extends Error {
  override readonly name = 'StartFailure';
  constructor(
    readonly code:
      | 'PORT_OCCUPIED'
      | 'STATE_LOCKED'
      | 'STATE_UNUSABLE'
      | 'VAULTS_INVALID'
      | 'NATS_MISSING'
      | 'SERVICE_FAILED'
      | 'NOT_READY',
    message: string,
  ) {
    super(message);
  }
}
