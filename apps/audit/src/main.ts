import 'reflect-metadata';
import {
  createHttpApplication,
  createPino,
  NatsResponder,
  readEnvironment,
  runService,
  serveOpenApi,
} from '#platform';
import { Logger } from '@nestjs/common';
import type { MicroserviceOptions } from '@nestjs/microservices';
import type { Server } from 'node:https';
import { serverTls } from './access/server-tls.js';
import { AppModule } from './app.module.js';
import { auditEnvironment } from './audit-environment.js';

/** No endpoint takes a body. */
const BODY_LIMIT = 1_024;

const pino = createPino('audit', process.env['SIEGEL_LOG_LEVEL'] ?? 'info');

await runService('audit', pino, async () => {
  const environment = readEnvironment(auditEnvironment);
  const tls = serverTls(environment);
  const app = await createHttpApplication(AppModule.of(environment), {
    pino,
    bodyLimit: BODY_LIMIT,
    ...(tls ? { https: tls.options } : {}),
  });
  app.connectMicroservice<MicroserviceOptions>({ strategy: app.get(NatsResponder) });
  serveOpenApi(app, {
    title: 'Siegel audit',
    description: 'The transparency log of attestation and release: search, live view, proofs.',
    version: '0.1.0',
  });
  // The log opens first: no event is taken before it is known that it can be kept.
  await app.init();
  await app.startAllMicroservices();
  await app.listen(environment.SIEGEL_HTTP_PORT, environment.SIEGEL_HTTP_HOST);
  if (tls) {
    const logger = new Logger('tls');
    tls.watch(app.getHttpServer() as Server, (message) => logger.error(message));
  }
  pino.info({ url: await app.getUrl() }, 'serving');
  return app;
});
