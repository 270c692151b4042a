/** `early` demands a TCB recovery from its disclosure on, `standard` about a year later. */
export type UpdateChannel = 'early' | 'standard';

/** Which of the editions that Intel publishes side by side: a channel, or one by its tcbEvaluationDataNumber (PCS API v4). */
export type Edition = UpdateChannel | number;

/** The query parameter that asks for it; the API refuses both at once. */
export const editionQuery = (edition: Edition): string =>
  typeof edition === 'number' ? `tcbEvaluationDataNumber=${edition}` : `update=${edition}`;
