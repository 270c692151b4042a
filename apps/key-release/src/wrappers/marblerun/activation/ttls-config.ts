import { marblerun } from '#policy';
import type { Manifest, Marble, SecretMaterial } from '../interface.js';
import { activationFailed } from './refusal.js';

/** What `MARBLE_TTLS_CONFIG` is made of. */
export interface TtlsInput {
  readonly marble: Marble;
  readonly manifest: Manifest;
  /** Certificate and key of this marble. */
  readonly identity: SecretMaterial;
  /** DER of the marble root. */
  readonly marbleRoot: Buffer;
  /** Materials of the secrets that tags name. */
  readonly secrets: ReadonlyMap<string, SecretMaterial>;
}

interface Connection {
  readonly cacrt: string;
  readonly clicrt: string;
  /** Incoming connections only. */
  readonly clientAuth?: boolean;
  readonly clikey: string;
}

/**
 * The JSON that the TTLS layer of upstream's runtime reads, members sorted as Go writes a map; undefined for a marble without TLS tags.
 * Source: reference marblerun.md §1.3.
 */
export function ttlsConfig({
  marble,
  manifest,
  identity,
  marbleRoot,
  secrets,
}: TtlsInput): string | undefined {
  if (marble.tls.length === 0) return undefined;
  const cacrt = marblerun.pemText('CERTIFICATE', marbleRoot);
  const own = { cacrt, ...pair(identity) };
  const incoming: Record<string, Connection> = {};
  const outgoing: Record<string, Connection> = {};
  for (const tag of marble.tls) {
    const entry = manifest.tls.get(tag);
    for (const { addr, port } of entry?.outgoing ?? []) outgoing[`${addr}:${port}`] = own;
    for (const { port, cert, disableClientAuth } of entry?.incoming ?? []) {
      const { clicrt, clikey } = cert === '' ? own : pair(required(secrets, cert));
      incoming[`*:${port}`] = { cacrt, clicrt, clientAuth: !disableClientAuth, clikey };
    }
  }
  return goJson({ tls: { Incoming: sorted(incoming), Outgoing: sorted(outgoing) } });
}

const pair = ({ certificate, private: key }: SecretMaterial) => ({
  clicrt: marblerun.pemText('CERTIFICATE', certificate),
  clikey: marblerun.pemText('PRIVATE KEY', key),
});

const sorted = <T>(members: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(members).sort(([a], [b]) => (a < b ? -1 : 1)));

/** Go's encoding/json escapes what HTML would take for its own, and two line separators. */
const goJson = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

function required(secrets: ReadonlyMap<string, SecretMaterial>, name: string): SecretMaterial {
  const found = secrets.get(name);
  if (!found || found.certificate.length === 0)
    throw activationFailed(
      'SECRET_UNSET',
      `customizing marble parameters: secret ${name} of a TLS tag has no certificate`,
    );
  return found;
}
