import { marblerun } from '#policy';
import { CoordinatorError } from '../coordinator-error.js';
import { recover } from '../recovery/recover.js';
import { acknowledgeUpdate, cancelUpdate, pendingUpdate } from '../updates/full-update.js';
import { inGoWords, manifestIn, readBody } from './api-request.js';
import { requireMarble } from './marble-certificate.js';
import { raiseCounter } from './monotonic-counter.js';
import * as operations from './operations.js';
import type { Routes } from './routes.js';

/** Bytes of a recovery request that are looked at. */
const RECOVERY_BYTES = 20_480;

/** Version 2 of the client API; reference §3. */
export const V2_ROUTES: Routes = {
  'GET /api/v2/status': (_request, { coordinator }) => operations.statusOf(coordinator),

  'GET /api/v2/quote': ({ query }, { coordinator }) => {
    const text = query.get('nonce') ?? '';
    try {
      return operations.quoteOf(coordinator, marblerun.decodeGoBase64(text, 'url'));
    } catch (error) {
      if (!(error instanceof marblerun.GoBase64Error)) throw error;
      throw new CoordinatorError('REQUEST_INVALID', `invalid query: bad nonce format: ${error.message}`);
    }
  },

  'GET /api/v2/manifest': (_request, { coordinator }) => {
    const manifest = coordinator.current?.manifest;
    if (!manifest) throw new CoordinatorError('NOT_SET', 'requested value not set');
    return {
      manifestSignatureRootECDSA: manifest.signature,
      manifestFingerprint: manifest.fingerprint,
      manifest: manifest.raw,
    };
  },

  'POST /api/v2/manifest': async (request, context) => ({
    RecoverySecrets: await operations.setFirstManifest(
      manifestIn(request, 'ManifestSetRequest'),
      request,
      context,
    ),
  }),

  'GET /api/v2/update': (_request, { coordinator }) => ({ updateLog: coordinator.requireManifest().log }),

  'POST /api/v2/update': async (request, context) => {
    const user = operations.userOf(context, request);
    const standing = await operations.update(manifestIn(request, 'UpdateApplyRequest'), user, context);
    return {
      missingAcknowledgments: standing?.missing ?? 0,
      missingUsers: standing && standing.missing > 0 ? standing.missingUsers : null,
      recoverySecrets: standing?.recoverySecrets,
    };
  },

  'GET /api/v2/update-manifest': (_request, { coordinator }) => pendingAnswer(pendingUpdate(coordinator)),

  'POST /api/v2/update-manifest': async (request, context) => {
    const user = operations.userOf(context, request);
    const raw = manifestIn(request, 'UpdateAcknowledgeRequest');
    const { missing, missingUsers, recoverySecrets } = await acknowledgeUpdate(
      context.coordinator,
      raw,
      user,
    );
    const names =
      missing === 0 ? '' : `.\nThe following users have not yet accepted: ${missingUsers.join(', ')}`;
    return {
      message: operations.stillNeeded(missing) + names,
      missingUsers: missing === 0 ? null : missingUsers,
      missingAcknowledgments: missing,
      recoverySecrets,
    };
  },

  'POST /api/v2/update-cancel': async (request, context) => {
    await cancelUpdate(context.coordinator, operations.userOf(context, request));
    return { message: 'Update successfully cancelled' };
  },

  'GET /api/v2/secrets': async (request, context) => ({
    secrets: await operations.secretsOf(request, context),
  }),

  'POST /api/v2/secrets': (request, context) =>
    operations.setSecrets(
      () =>
        new marblerun.FieldReader().fields(
          marblerun.decodeGoJson(request.body),
          ['SecretsSetRequest'],
          ['secrets'],
        ).secrets,
      request,
      context,
    ),

  'POST /api/v2/recover': async ({ body, source }, { coordinator }) => {
    const { secret, signature } = readBody(
      body.subarray(0, RECOVERY_BYTES),
      'RecoverRequest',
      ['recoverySecret', 'recoverySecretSignature'],
      (reader, fields, path) => ({
        secret: reader.bytes(fields.recoverySecret, path('recoverySecret')) ?? Buffer.alloc(0),
        signature:
          reader.bytes(fields.recoverySecretSignature, path('recoverySecretSignature')) ?? Buffer.alloc(0),
      }),
    );
    const { remaining } = await recover(coordinator, secret, signature, source);
    return {
      remaining,
      message:
        remaining === 0
          ? 'Recovery successful.'
          : `Secret was processed successfully. Upload the next secret. Remaining secrets: ${remaining}`,
    };
  },

  'GET /api/v2/recover/public-key': async (_request, { coordinator }) => ({
    algorithm: 'RSA',
    ephemeralPublicKey: await coordinator.recovery.session.ephemeralKey(),
  }),

  'POST /api/v2/sign-quote': ({ body }, { coordinator, quoteSigner }) => {
    operations.requireFeature(coordinator, 'SignQuoteEndpoint');
    return quoteSigner.sign(coordinator, quoteIn(body));
  },

  'POST /api/v2/monotonic-counter': (request, { coordinator }) => {
    operations.requireFeature(coordinator, 'MonotonicCounter');
    const marble = requireMarble(coordinator, request.certificate);
    const { name, value } = readBody(
      request.body,
      'MonotonicCounterRequest',
      ['name', 'value'],
      (reader, fields, path) => ({
        name: reader.string(fields.name, path('name')),
        value: reader.unsigned(fields.value, path('value'), 'uint64') ?? 0n,
      }),
    );
    return raiseCounter(coordinator, marble, name, value);
  },
};

/** Both versions answer this alike. */
export const pendingAnswer = ({ raw, missing, missingUsers }: ReturnType<typeof pendingUpdate>) => ({
  manifest: raw,
  message: operations.stillNeeded(missing),
  missingUsers,
});

function quoteIn(body: Buffer): Buffer {
  try {
    return inGoWords(() =>
      readBody(
        body,
        'QuoteSignRequest',
        ['sgxQuote'],
        (reader, { sgxQuote }, path) => reader.bytes(sgxQuote, path('sgxQuote')) ?? Buffer.alloc(0),
      ),
    );
  } catch (error) {
    if (!(error instanceof CoordinatorError)) throw error;
    throw new CoordinatorError('REQUEST_INVALID', `bad request: ${error.message}`, {
      data: { sgxQuote: 'failed to parse JSON data' },
    });
  }
}
