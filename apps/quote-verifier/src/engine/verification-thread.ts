// Entry of a verification thread: the same VerdictMaker as on the event loop, behind messages.
import { DcapError } from '#dcap';
import { LocalSigner } from '#pki';
import { parentPort, workerData } from 'node:worker_threads';
import { factsOf, openCollateral, type OpeningSettings } from '../collateral/collateral-opener.js';
import { VerdictSigner } from '../verdict/verdict-signer.js';
import type { Attempt } from './attempt.js';
import { VerdictMaker } from './verdict-maker.js';
import type { FromWorker, Opened, ToWorker, WorkerSettings } from './worker-messages.js';

/** Work after which the answers so far are sent, in milliseconds. */
const ANSWER_MS = 1;

const settings = workerData as WorkerSettings;
const port = parentPort;
if (port === null) throw new Error('this module runs as a worker thread');
const send = (message: FromWorker): void => port.postMessage(message);

const anchors = settings.anchors.map((anchor) => ({ ...anchor, publicKey: Buffer.from(anchor.publicKey) }));
const opening: OpeningSettings = { ...settings, anchors };
const maker = new VerdictMaker({
  signer: new VerdictSigner(await LocalSigner.fromFile(settings.keyFile)),
  anchors,
  clock: () => new Date(),
});

port.on('message', (message: ToWorker) => {
  switch (message.type) {
    case 'attempt':
      verifyAll(message);
      return;
    case 'open':
      send({ type: 'opened', id: message.id, outcome: opened(message) });
      return;
    case 'adopt':
      try {
        maker.adopt(message.key, openCollateral(message.key, message.bundle, opening, new Date()));
      } catch (error) {
        send({ type: 'trouble', message: `collateral was not adopted: ${(error as Error).message}` });
      }
  }
});

/** The first answers of a long batch do not wait for its last. */
function verifyAll({ ids, bodies, findings }: ToWorker & { type: 'attempt' }): void {
  let from = 0;
  let attempts: Attempt[] = [];
  let since = performance.now();
  bodies.forEach((body, i) => {
    attempts.push(maker.attempt(body, findings[i]));
    if (i + 1 < bodies.length && performance.now() - since < ANSWER_MS) return;
    send({ type: 'done', ids: ids.slice(from, i + 1), attempts });
    from = i + 1;
    attempts = [];
    since = performance.now();
  });
}

function opened({ key, bundle, at }: ToWorker & { type: 'open' }): Opened {
  try {
    return { facts: factsOf(openCollateral(key, bundle, opening, at)) };
  } catch (error) {
    if (!(error instanceof DcapError)) throw error;
    const { code, message, step } = error;
    return { refused: { code, message, step } };
  }
}
send({ type: 'ready' });
