import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Manifest } from './schema.js';

/** The content address of a manifest: SHA-256, lower-case hex, of its canonical JSON (RFC 8785). */
export function manifestDigest(manifest: Manifest): string {
  const canonical = canonicalize(manifest);
  if (canonical === undefined) throw new TypeError('a manifest is a JSON object');
  return createHash('sha256').update(canonical, 'utf8').digest('hex');
}
