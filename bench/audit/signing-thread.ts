import { type KeyObject, sign } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { type GeneratedLog, generatedEvent } from './generated-events.js';

export interface SigningData {
  log: GeneratedLog;
  kid: string;
  /** Without it the signatures are none: signing ten million takes four minutes of a core, and no store or index looks at them. */
  privateKey: KeyObject | undefined;
}

/** Numbers of events to sign, both included. */
export interface SigningRequest {
  first: number;
  last: number;
}

/** Their entries, one after the other. */
export interface SignedEntries {
  first: number;
  bytes: ArrayBuffer;
  lengths: number[];
}

const { log, kid, privateKey } = workerData as SigningData;
const port = parentPort!;
const NO_SIGNATURE = 'A'.repeat(86);

port.on('message', ({ first, last }: SigningRequest) => {
  const entries: Buffer[] = [];
  for (let seq = first; seq <= last; seq++) {
    const canonical = JSON.stringify(generatedEvent(log, seq));
    const sig = privateKey
      ? sign(null, Buffer.from(canonical), privateKey).toString('base64url')
      : NO_SIGNATURE;
    entries.push(Buffer.from(`{"event":${canonical},"kid":${JSON.stringify(kid)},"sig":"${sig}"}`));
  }
  const bytes = new Uint8Array(entries.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const entry of entries) {
    bytes.set(entry, offset);
    offset += entry.length;
  }
  const lengths = entries.map(({ length }) => length);
  port.postMessage({ first, bytes: bytes.buffer, lengths } satisfies SignedEntries, [bytes.buffer]);
});
