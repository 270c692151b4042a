import { JetStreamApiCodes, JetStreamApiError } from '@nats-io/jetstream';

/** Both numbers of a write that somebody else's came before. */
const CONFLICTS: readonly number[] = [
  JetStreamApiCodes.StreamWrongLastSequence,
  JetStreamApiCodes.StreamWrongLastSequenceUnknown,
];

/** Whether a create or update of a key was refused because its revision is another by now. */
export const isRevisionConflict = (error: unknown): boolean =>
  error instanceof JetStreamApiError && CONFLICTS.includes(error.code);
