import { z } from 'zod';
import { AttestResponse, ReleasePayload } from './attest.js';

/** Answer of `POST /v1/attest/ra-tls`: as that of `POST /v1/attest`, with the release open, for the TLS connection is the enclave's own. */
export const RaTlsResponse = AttestResponse.omit({ release: true }).extend({
  payload: ReleasePayload.describe('The release; over this connection only.'),
});
export type RaTlsResponse = z.infer<typeof RaTlsResponse>;
