import { SiegelError } from '#contracts';
import { createHttpApplication, createPino, readEnvironment, runService, serveOpenApi } from '#platform';
import 'reflect-metadata';
import type { Server } from 'node:https';
import type { FastifyRequest } from 'fastify';
import { AppModule } from './app.module.js';
import { RefusalFilter } from './attest/refusal-filter.js';
import { keyReleaseEnvironment } from './environment.js';
import { CLOUD_EVENTS, parseCloudEvents } from './rotation/cloud-events-body.js';
import { Signers } from './signing/signers.js';
import { renewIdentity } from './tls/identity-renewal.js';
import { serverIdentity, tlsOptions } from './tls/server-identity.js';

/** A quote of 32 KiB in base64url and what stands around it. */
const BODY_LIMIT = 64 * 1024;
/** Manifests are larger than any attest request; they have a limit of their own. */
const MANIFEST_LIMIT = 256 * 1024;

const pino = createPino('key-release', process.env['SIEGEL_LOG_LEVEL'] ?? 'info');

await runService('key-release', pino, async () => {
  const environment = readEnvironment(keyReleaseEnvironment);
  const signers = await Signers.open(environment);
  const { ca } = signers;
  const clientCertificates = environment.SIEGEL_RA_TLS || environment.SIEGEL_FORTANIX;
  const identity = await serverIdentity(environment, ca, new Date());
  const app = await createHttpApplication(AppModule.of(environment, signers), {
    pino,
    https: tlsOptions(identity, clientCertificates),
    bodyLimit: BODY_LIMIT,
  });
  // The last filter is asked first: refusals are logged before they are answered.
  app.useGlobalFilters(app.get(RefusalFilter, { strict: false }));
  app
    .getHttpAdapter()
    .getInstance()
    .addContentTypeParser(
      ['application/yaml', 'application/x-yaml', 'text/yaml'],
      { parseAs: 'string', bodyLimit: MANIFEST_LIMIT },
      (
        request: FastifyRequest,
        text: string,
        done: (error: SiegelError | null, body?: string) => void,
      ): void =>
        request.routeOptions.url?.endsWith('/manifest')
          ? done(null, text)
          : done(new SiegelError('CONTENT_TYPE_UNSUPPORTED')),
    );
  app
    .getHttpAdapter()
    .getInstance()
    .addContentTypeParser(CLOUD_EVENTS, { parseAs: 'string', bodyLimit: BODY_LIMIT }, parseCloudEvents);
  serveOpenApi(app, {
    title: 'Siegel key-release',
    description: 'Attest once; receive TLS identity and secrets.',
    version: '0.1.0',
  });
  await app.listen(environment.SIEGEL_HTTP_PORT, environment.SIEGEL_HTTP_HOST);
  const server = app.getHttpServer() as Server;
  renewIdentity(
    identity,
    () => serverIdentity(environment, ca, new Date()),
    (next) => server.setSecureContext(tlsOptions(next, clientCertificates)),
    (error) => pino.error({ err: error }, 'the server certificate could not be renewed'),
  );
  pino.info(`serving ${environment.SIEGEL_PUBLIC_URL}`);
  return app;
});
