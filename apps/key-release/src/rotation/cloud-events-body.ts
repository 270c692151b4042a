import { SiegelError } from '#contracts';
import type { FastifyRequest } from 'fastify';

/** Content types of CloudEvents over HTTP (CloudEvents HTTP binding §3). */
export const CLOUD_EVENTS = ['application/cloudevents+json', 'application/cloudevents-batch+json'];

/** Reads a body of CloudEvents, for the one endpoint that takes them. */
export function parseCloudEvents(
  request: FastifyRequest,
  text: string,
  done: (error: SiegelError | null, body?: unknown) => void,
): void {
  if (request.routeOptions.url !== '/v1/hooks/event-grid')
    return done(new SiegelError('CONTENT_TYPE_UNSUPPORTED'));
  try {
    done(null, JSON.parse(text));
  } catch {
    done(new SiegelError('HOOK_EVENT_INVALID', { detail: 'the body is no JSON' }));
  }
}
