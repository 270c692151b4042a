import { SignedEvent } from '#contracts';
import {
  type EntryPromise,
  MemoryTree,
  PromiseVerifier,
  decodeEntryBundle,
  ed25519Verifier,
  leafHash,
  openCheckpoint,
  tilePath,
} from '#transparency';
import { type AuditDeployment, ORIGIN } from './audit-deployment.js';

export interface ReadLog {
  size: number;
  root: Buffer;
  entries: Buffer[];
  events: SignedEvent[];
}

/** Reads the whole log as an auditor does: checkpoint, entry bundles, and the root computed from them. */
export async function readLog(deployment: Pick<AuditDeployment, 'get' | 'logPublicKey'>): Promise<ReadLog> {
  const note = await (await deployment.get('/v1/log/checkpoint')).text();
  const { size, root } = openCheckpoint(note, ORIGIN, ed25519Verifier(ORIGIN, deployment.logPublicKey));
  const entries: Buffer[] = [];
  for (let index = 0; index * 256 < size; index++) {
    const width = Math.min(256, size - index * 256);
    let response = await deployment.get(`/v1/log/${tilePath({ level: 'entries', index, width })}`);
    let got = width;
    if (response.status === 404) {
      // Another checkpoint came in between and the tile became full.
      response = await deployment.get(`/v1/log/${tilePath({ level: 'entries', index, width: 256 })}`);
      got = 256;
    }
    if (!response.ok) throw new Error(`bundle ${index}: ${response.status}`);
    const bundle = decodeEntryBundle(Buffer.from(await response.arrayBuffer()), got);
    entries.push(...bundle.slice(0, width));
  }
  const computed = new MemoryTree(entries.map((entry) => leafHash(entry))).root();
  if (!computed.equals(root)) throw new Error('the entries do not make up the root of the checkpoint');
  const events = entries.map((entry) => SignedEvent.parse(JSON.parse(entry.toString('utf8'))));
  return { size, root, entries, events };
}

export const promiseVerifier = (deployment: AuditDeployment): PromiseVerifier =>
  new PromiseVerifier([{ origin: ORIGIN, kid: deployment.logKey.kid, publicKey: deployment.logPublicKey }]);

export const promiseOf = (reply: Uint8Array): EntryPromise =>
  (JSON.parse(Buffer.from(reply).toString('utf8')) as { promise: EntryPromise }).promise;
