import { marblerun } from '#policy';
import { hash } from 'node:crypto';
import { CoordinatorError } from '../coordinator-error.js';
import { COORDINATOR_STATES, type FeatureGate } from '../interface.js';
import type { Coordinator } from '../state/coordinator.js';
import { initiateUpdate, type UpdateStanding } from '../updates/full-update.js';
import { readUpload } from '../updates/manifest-intake.js';
import { isPackageUpdate, updatePackages } from '../updates/package-update.js';
import { requireManifestSetter, type RecoverySecrets, setManifest } from '../updates/set-manifest.js';
import { type ReadSecret, readSecrets } from '../users-roles/read-secrets.js';
import { requireUser, type User } from '../users-roles/users.js';
import { type UploadedSecret, writeSecrets } from '../users-roles/write-secrets.js';
import { type ApiContext, type ApiRequest, inGoWords } from './api-request.js';

/** What both versions of the API do; they differ in how they ask and answer. */

const STATUS_MESSAGES: Readonly<Record<number, string>> = {
  0: 'Coordinator is starting.',
  1: 'Coordinator is in recovery mode. Either upload a key to unseal the saved state, or set a new manifest. For more information on how to proceed, consult the documentation.',
  2: 'Coordinator is ready to accept a manifest.',
  3: 'Coordinator is running correctly and ready to accept marbles.',
};

export function statusOf({ state }: Coordinator): { code: number; message: string } {
  const code = COORDINATOR_STATES[state];
  return { code, message: STATUS_MESSAGES[code] as string };
}

/** PEM of intermediate and root, in that order, and the coordinator's quote over the root and the client's nonce, if it has one. */
export async function quoteOf(
  { authority, ports }: Coordinator,
  nonce: Buffer,
): Promise<{ cert: string; quote: Buffer | null }> {
  const reportData = hash('sha256', Buffer.concat([authority.root.certificate, nonce]), 'buffer');
  return {
    cert: authority.intermediate.pem + authority.root.pem,
    quote: (await ports.quotes.quote(reportData)) ?? null,
  };
}

/** @throws CoordinatorError UNAUTHORIZED */
export const userOf = ({ coordinator }: ApiContext, { certificate }: ApiRequest): User =>
  requireUser(coordinator.current?.manifest?.parsed, certificate);

export function setFirstManifest(
  raw: Buffer,
  request: ApiRequest,
  { coordinator, operators }: ApiContext,
): Promise<RecoverySecrets> {
  return setManifest(coordinator, raw, requireManifestSetter(coordinator, operators, request, raw));
}

/** An update of package versions, in force at once (undefined), or of the whole manifest. */
export async function update(
  raw: Buffer,
  user: User,
  { coordinator }: ApiContext,
): Promise<UpdateStanding | undefined> {
  const upload = readUpload(raw, 'update');
  if (!isPackageUpdate(upload.manifest)) return initiateUpdate(coordinator, raw, upload, user);
  await updatePackages(coordinator, upload.manifest, user);
  return undefined;
}

export function stillNeeded(missing: number): string {
  if (missing === 0) return 'All users have acknowledged the update manifest. Update successfully applied';
  return missing === 1
    ? '1 user still needs to acknowledge the update manifest'
    : `${missing} users still need to acknowledge the update manifest`;
}

/** The secrets of a query `s=a&s=b`, in upstream's members, sorted by name. */
export async function secretsOf(request: ApiRequest, context: ApiContext): Promise<Map<string, unknown>> {
  const user = userOf(context, request);
  const names = request.query.getAll('s');
  if (names.length === 0)
    throw new CoordinatorError(
      'REQUEST_INVALID',
      'invalid query: endpoint requires at least one query parameter',
    );
  if (names.includes(''))
    throw new CoordinatorError('REQUEST_INVALID', 'malformed query string: empty query parameter');
  const read = await readSecrets(context.coordinator, names, user);
  return new Map(read.map((each) => [each.name, secretMembers(each)]));
}

function secretMembers({ definition, material }: ReadSecret): object {
  const { type, size, shared, userDefined, validFor } = definition;
  return {
    Type: type,
    Size: size,
    Shared: shared,
    UserDefined: userDefined,
    Cert: material && material.certificate.length > 0 ? material.certificate : null,
    ValidFor: validFor,
    Private:
      material && (material.private.length > 0 || material.certificate.length === 0)
        ? material.private
        : null,
    Public: material?.public ?? null,
  };
}

/** Writes secrets from a map of uploads. */
export async function setSecrets(
  node: () => marblerun.JsonNode | undefined,
  request: ApiRequest,
  context: ApiContext,
) {
  const user = userOf(context, request);
  const uploads = inGoWords(() => {
    const reader = new marblerun.FieldReader();
    return reader.map(node(), ['secrets'], (value, path): UploadedSecret => {
      const fields = reader.fields(value, path, ['Cert', 'Private', 'Key']);
      return {
        key: reader.bytes(fields.Key, [...path, 'Key']),
        certificate: reader.bytes(fields.Cert, [...path, 'Cert']),
        privateKey: reader.bytes(fields.Private, [...path, 'Private']),
      };
    });
  });
  await writeSecrets(context.coordinator, uploads, user);
  return null;
}

/** @throws CoordinatorError FEATURE_DISABLED */
export function requireFeature({ current }: Coordinator, gate: FeatureGate): void {
  if (!current?.manifest?.parsed.config.featureGates.has(gate))
    throw new CoordinatorError('FEATURE_DISABLED', `${gate} feature is not enabled in the manifest`);
}
