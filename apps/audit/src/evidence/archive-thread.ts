import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import type { ArchiveData, ArchiveReply, ArchiveRequest } from './archive-messages.js';
import { EvidenceArchive } from './evidence-archive.js';
import { EvidenceCipher } from './evidence-cipher.js';

const { path, key } = workerData as ArchiveData;
const port = parentPort!;
const archive = new EvidenceArchive(
  new DatabaseSync(path, { timeout: 5_000 }),
  new EvidenceCipher(Buffer.from(key)),
);

function answer(request: ArchiveRequest): unknown {
  switch (request.name) {
    case 'mark':
      return archive.mark;
    case 'commit':
      return archive.commit(request.argument.evidence, request.argument.mark, Date.now());
    case 'known':
      return archive.known(request.argument);
    case 'info':
      return archive.info(request.argument);
    case 'read':
      return archive.read(request.argument);
    case 'erase':
      return archive.erase(request.argument);
    case 'collateral':
      return archive.collateral(request.argument);
    case 'putCollateral':
      return archive.putCollateral(request.argument.id, request.argument.bundle, Date.now());
    case 'purge': {
      const removed = archive.purge(request.argument, Date.now());
      return { removed, bytes: archive.bytes };
    }
    case 'close':
      return archive.close();
  }
}

port.on('message', (request: ArchiveRequest) => {
  try {
    port.postMessage({ call: request.call, result: answer(request) } satisfies ArchiveReply);
  } catch (error) {
    const { message, name } = error as Error;
    port.postMessage({ call: request.call, failure: message, name } satisfies ArchiveReply);
  }
  if (request.name === 'close') port.close();
});
