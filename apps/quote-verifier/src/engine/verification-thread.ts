// Entry of a verification thread: the same VerdictMaker as on the event loop, behind messages.
import { CollateralEpoch } from '#dcap';
import { LocalSigner } from '#pki';
import { parentPort, workerData } from 'node:worker_threads';
import { VerdictSigner } from '../verdict/verdict-signer.js';
import { VerdictMaker } from './verdict-maker.js';
import type { FromWorker, ToWorker, WorkerSettings } from './worker-messages.js';

const settings = workerData as WorkerSettings;
const port = parentPort;
if (port === null) throw new Error('this module runs as a worker thread');
const send = (message: FromWorker): void => port.postMessage(message);

const anchors = settings.anchors.map((anchor) => ({ ...anchor, publicKey: Buffer.from(anchor.publicKey) }));
const maker = new VerdictMaker({
  signer: new VerdictSigner(await LocalSigner.fromFile(settings.keyFile)),
  anchors,
  clock: () => new Date(),
});

port.on('message', (message: ToWorker) => {
  if (message.type === 'attempt') {
    const { ids, bodies, findings } = message;
    send({ type: 'done', ids, attempts: bodies.map((body, i) => maker.attempt(body, findings[i])) });
    return;
  }
  try {
    maker.adopt(
      message.key,
      CollateralEpoch.open(message.bundle, {
        at: new Date(),
        trustAnchors: anchors.filter(({ id }) => id === message.key.anchor),
        graceSeconds: settings.graceSeconds,
        ...(settings.minTcbEvaluationDataNumber === undefined
          ? {}
          : { minTcbEvaluationDataNumber: settings.minTcbEvaluationDataNumber }),
      }),
    );
  } catch (error) {
    send({ type: 'trouble', message: `collateral was not adopted: ${(error as Error).message}` });
  }
});
send({ type: 'ready' });
