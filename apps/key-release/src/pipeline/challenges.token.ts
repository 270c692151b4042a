/** Injection token of the {@link ChallengeMinter}. */
export const CHALLENGES = Symbol('CHALLENGES');
