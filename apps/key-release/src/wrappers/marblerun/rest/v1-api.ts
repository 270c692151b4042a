import { marblerun } from '#policy';
import { CoordinatorError } from '../coordinator-error.js';
import { acknowledgeUpdate, cancelUpdate, pendingUpdate } from '../updates/full-update.js';
import * as operations from './operations.js';
import type { Routes } from './routes.js';
import { pendingAnswer } from './v2-api.js';

/** Version 1 of the client API: bodies as they are, errors by other statuses; reference §3. */
export const V1_ROUTES: Routes = {
  'GET /status': (_request, { coordinator }) => {
    const { code, message } = operations.statusOf(coordinator);
    return { StatusCode: code, StatusMessage: message };
  },

  'GET /quote': async (_request, { coordinator }) => {
    const { cert, quote } = await operations.quoteOf(coordinator, Buffer.alloc(0));
    return { Cert: cert, Quote: quote };
  },

  'GET /manifest': (_request, { coordinator }) => {
    const manifest = coordinator.current?.manifest;
    return {
      ManifestSignatureRootECDSA: manifest?.signature ?? null,
      ManifestSignature: manifest?.fingerprint ?? '',
      Manifest: manifest?.raw ?? null,
    };
  },

  'POST /manifest': async (request, context) => {
    const secrets = await operations.setFirstManifest(request.body, request, context);
    return secrets.size === 0 ? null : { RecoverySecrets: secrets };
  },

  'GET /update': (_request, { coordinator }) =>
    coordinator
      .requireManifest()
      .log.map((line) => `${line}\n`)
      .join(''),

  'POST /update': async (request, context) => {
    await operations.update(request.body, operations.userOf(context, request), context);
    return null;
  },

  'GET /update-manifest': (_request, { coordinator }) => pendingAnswer(pendingUpdate(coordinator)),

  'POST /update-manifest': async (request, context) => {
    const user = operations.userOf(context, request);
    const { missing } = await acknowledgeUpdate(context.coordinator, request.body, user);
    return operations.stillNeeded(missing);
  },

  'POST /update-cancel': async (request, context) => {
    await cancelUpdate(context.coordinator, operations.userOf(context, request));
    return 'Update successfully cancelled';
  },

  'GET /secrets': operations.secretsOf,

  'POST /secrets': (request, context) =>
    operations.setSecrets(() => marblerun.decodeGoJson(request.body), request, context),

  'POST /recover': () => {
    throw new CoordinatorError(
      'GONE',
      'Recovering the Coordinator using the /recover API endpoint has been disabled. Use the /api/v2/recover endpoint instead.',
    );
  },
};
