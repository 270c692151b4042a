import { SiegelError } from '#contracts';
import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import type { ArchiveData, ArchiveReply, ArchiveRequest } from './archive-messages.js';
import { EvidenceArchive } from './evidence-archive.js';
import { EvidenceCipher } from './evidence-cipher.js';
import { evidenceKeys } from './evidence-keys.js';

const { path, keys, limits } = workerData as ArchiveData;
const port = parentPort!;
const archive = new EvidenceArchive(
  new DatabaseSync(path, { timeout: 5_000 }),
  new EvidenceCipher(evidenceKeys(keys)),
  limits,
);

function answer(request: ArchiveRequest): unknown {
  switch (request.name) {
    case 'mark':
      return archive.mark;
    case 'commit':
      return archive.commit(request.argument.evidence, request.argument.mark, Date.now());
    case 'known':
      return archive.known(request.argument, Date.now());
    case 'info':
      return archive.info(request.argument, Date.now());
    case 'read':
      return archive.read(request.argument, Date.now());
    case 'erase':
      return archive.erase(request.argument);
    case 'collateral':
      return archive.collateral(request.argument);
    case 'putCollateral':
      return archive.putCollateral(request.argument.id, request.argument.bundle, Date.now());
    case 'purge':
      return archive.purge(Date.now());
    case 'close':
      return archive.close();
  }
}

port.on('message', (request: ArchiveRequest) => {
  try {
    port.postMessage({ call: request.call, result: answer(request) } satisfies ArchiveReply);
  } catch (error) {
    const { message, name } = error as Error;
    const code = error instanceof SiegelError ? { code: error.code } : {};
    port.postMessage({ call: request.call, failure: message, name, ...code } satisfies ArchiveReply);
  }
  if (request.name === 'close') port.close();
});
