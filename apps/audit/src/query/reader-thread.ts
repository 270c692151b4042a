import { parentPort, workerData } from 'node:worker_threads';
import { yieldToRequests } from '../threads/background-priority.js';
import { openEventSource } from './open-event-source.js';
import type { PackedEvents } from './packed-events.js';
import type { ReaderData, ReaderReply, ReaderRequest } from './reader-messages.js';

yieldToRequests();

const port = parentPort!;
const reader = await openEventSource((workerData as ReaderData).store);

async function answer(request: ReaderRequest): Promise<unknown> {
  switch (request.name) {
    case 'search':
      return reader.search(request.argument);
    case 'count':
      return reader.count(request.argument);
    case 'byId':
      return reader.byId(request.argument);
    case 'byLeaf':
      return reader.byLeaf(request.argument);
    case 'after':
      return reader.after(request.argument.position, request.argument.limit);
  }
}

port.on('message', (request: ReaderRequest) => {
  answer(request).then(
    (result) => {
      const moved = request.name === 'after' ? [(result as PackedEvents).bytes] : [];
      port.postMessage({ call: request.call, result } satisfies ReaderReply, moved);
    },
    (error: unknown) =>
      port.postMessage({
        call: request.call,
        failure: (error as Error).message,
        kind:
          error instanceof RangeError ? 'too-much' : reader.isUnreachable?.(error) ? 'unreachable' : 'failed',
      } satisfies ReaderReply),
  );
});
