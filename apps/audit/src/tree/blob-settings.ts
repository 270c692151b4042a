import { ConfigurationError, configuredBy, readConfigurationFile } from '#platform';
import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';

const VARIABLE = 'SIEGEL_AUDIT_TILES_BLOB_FILE';

const BlobFile = z
  .strictObject({
    /** Address of the container, for example https://shop.blob.core.windows.net/siegel-log. Not with a connection string. */
    container: z
      .url({ protocol: /^https$/ })
      .max(2_048)
      .optional(),
    /** Folder within the container; replicas and readers name the same. */
    prefix: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}(?:\/[A-Za-z0-9][A-Za-z0-9._-]{0,62}){0,4}$/)
      .optional(),
    /** Who we are towards Entra; the identity needs the role Storage Blob Data Contributor on the container. */
    identity: z
      .strictObject({
        kind: z.enum(['workload', 'managed', 'default']),
        clientId: z.string().max(64).optional(),
      })
      .optional(),
    /** File with a connection string, mode 0600: for accounts without Entra, and for Azurite. */
    connectionStringFile: z.string().min(1).optional(),
    /** Name of the container, with a connection string. */
    containerName: z
      .string()
      .regex(/^[a-z0-9](?:-?[a-z0-9]){2,62}$/)
      .optional(),
  })
  .refine(
    ({ container, identity, connectionStringFile, containerName }) =>
      connectionStringFile === undefined
        ? container !== undefined && identity !== undefined && containerName === undefined
        : container === undefined && identity === undefined && containerName !== undefined,
    'needs container and identity, or connectionStringFile and containerName',
  );

/** Which container, as it can be handed to a thread; a connection string in it is a secret and is never logged. */
export interface BlobSettings {
  container?: string;
  prefix: string;
  identity?: { kind: 'workload' | 'managed' | 'default'; clientId?: string | undefined };
  connection?: { text: string; containerName: string };
}

/** @throws ConfigurationError that names the variable and never what a secret file holds */
export function readBlobFile(path: string): BlobSettings {
  const { container, prefix, identity, connectionStringFile, containerName } = configuredBy(VARIABLE, () =>
    readConfigurationFile(BlobFile, path),
  );
  const shared = { prefix: prefix === undefined ? '' : `${prefix}/` };
  if (connectionStringFile === undefined) return { ...shared, container: container!, identity: identity! };
  const file = resolve(dirname(path), connectionStringFile);
  return { ...shared, connection: { text: readSecret(file), containerName: containerName! } };
}

function readSecret(file: string): string {
  try {
    const { mode } = statSync(file);
    if ((mode & 0o077) !== 0) throw new Error(`is readable by others (mode ${(mode & 0o777).toString(8)})`);
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw refused(`connectionStringFile ${(error as Error).message}`);
  }
}

const refused = (message: string) => new ConfigurationError([{ variable: VARIABLE, message }]);
