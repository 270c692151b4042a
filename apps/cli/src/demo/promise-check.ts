import { type LogPromise, TrustFile } from '#contracts';
import { promiseStatement } from '#transparency';
import { createPublicKey, verify, type JsonWebKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Layout } from '../up/layout.js';

/** Checks the signature of the log's promise with the log's key alone, as an enclave that knows nothing of the event can. */
export function checkPromise(
  promise: LogPromise,
  layout: Layout,
  origin: string,
  check: (name: string, ok: boolean, detail?: string) => void,
): void {
  const trust = TrustFile.parse(JSON.parse(readFileSync(layout.trust, 'utf8')));
  const key = trust.logs.find((log) => log.origin === promise.log && log.jwk.kid === promise.kid);
  const statement = promiseStatement({
    log: promise.log,
    start: promise.batch.start,
    size: promise.batch.size,
    root: Buffer.from(promise.batch.root, 'hex'),
    time: promise.time,
  });
  const signed =
    key !== undefined &&
    verify(
      null,
      statement,
      createPublicKey({ key: key.jwk as JsonWebKey, format: 'jwk' }),
      Buffer.from(promise.signature, 'base64url'),
    );
  check("the answer carries the log's signed promise", signed && promise.log === origin, promise.log);
}
