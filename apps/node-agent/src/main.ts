import { createHttpApplication, createPino, readEnvironment, runService } from '#platform';
import 'reflect-metadata';
import { agentEnvironment } from './agent-environment.js';
import { AppModule } from './app.module.js';

/** A certificate request with its quote, in JSON. */
const BODY_LIMIT = 80 * 1024;

const pino = createPino('node-agent', process.env['SIEGEL_LOG_LEVEL'] ?? 'info');

await runService('node-agent', pino, async () => {
  const environment = readEnvironment(agentEnvironment);
  const app = await createHttpApplication(AppModule.of(environment), { pino, bodyLimit: BODY_LIMIT });
  await app.listen(environment.SIEGEL_HTTP_PORT, environment.SIEGEL_HTTP_HOST);
  pino.info(`serving enclaves of this node on ${await app.getUrl()}`);
  return app;
});
