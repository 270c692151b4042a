import {
  createHttpApplication,
  createPino,
  NatsResponder,
  readEnvironment,
  runService,
  serveOpenApi,
} from '#platform';
import type { MicroserviceOptions } from '@nestjs/microservices';
import 'reflect-metadata';
import { AppModule } from './app.module.js';
import { verifierEnvironment } from './config/environment.js';

/** No endpoint of this service takes a body; evidence comes over NATS. */
const BODY_LIMIT = 16 * 1024;

const pino = createPino('quote-verifier', process.env['SIEGEL_LOG_LEVEL'] ?? 'info');

await runService('quote-verifier', pino, async () => {
  const environment = readEnvironment(verifierEnvironment);
  const app = await createHttpApplication(AppModule.of(environment), { pino, bodyLimit: BODY_LIMIT });
  serveOpenApi(app, {
    title: 'Siegel quote-verifier',
    description: 'Collateral and keys behind the verdicts, which are asked for over NATS.',
    version: '0.1.0',
  });
  app.connectMicroservice<MicroserviceOptions>({ strategy: app.get(NatsResponder) });
  // The hooks of the modules first: no request is taken before the engine and the collateral are there.
  await app.init();
  await app.startAllMicroservices();
  await app.listen(environment.SIEGEL_HTTP_PORT, environment.SIEGEL_HTTP_HOST);
  pino.info(`verifying; HTTP on ${await app.getUrl()}`);
  return app;
});
