import type { PathStep } from '../../problem.js';
import { ACCESS_RIGHTS } from '../read-access.js';
import type { ReadSession } from '../read-session.js';
import type { SconeSecret, SconeSession } from '../model.js';
import { importDelivery, vaultName } from './import-service.js';
import { reportToken } from './import-token.js';
import { importIdentity, importPlatforms } from './import-identity.js';
import { importSecurity, reportRestOfSecurity, type ImportedSecurity } from './import-security.js';
import { ImportReport, type SessionImportLine } from './report.js';

/** Whether the document has something there. */
type Present = (path: readonly PathStep[]) => boolean;

/** One service as a workload of a manifest. */
export interface ImportedService {
  readonly service: string;
  readonly workload: Readonly<Record<string, unknown>>;
}

export interface ImportedSession {
  /** Services that attest; those without evidence, or of which no rule could be taken over, are missing. */
  readonly services: readonly ImportedService[];
  readonly report: readonly SessionImportLine[];
}

/** The manifest's equal of a session, and what became of each key. */
export function importSession({ session, document, faults }: ReadSession): ImportedSession {
  const report = new ImportReport();
  for (const { path, message } of faults) report.named(path, 'unsupported', message);
  const present: Present = (path) => document.node(path) !== undefined;
  const written = document.data as Readonly<Record<string, unknown>>;
  for (const key of ['security', 'access_policy'] as const)
    if (
      typeof written[key] === 'string' &&
      !(key === 'security' ? session.security : session.access).reference
    )
      report.mapped([key], 'the fragment that this session has itself');
  reportHead(session, present, report);
  const security = importSecurity(session.security, report);
  reportRestOfSecurity(session.security, present, report);
  const services = session.services.flatMap((_, index) =>
    importService(session, index, security, present, report),
  );
  session.secrets.forEach((secret, index) => reportSecret(secret, index, session, report));
  reportRuntimeOnly(session, present, report);
  report.complete(document.data);
  const spoken = report.lines.filter(({ path }) => path !== '');
  return { services, report: withoutAbsent(spoken, document) };
}

/** Lines about defaults say nothing of the file; what is wrong or missing stays. */
function withoutAbsent(
  lines: readonly SessionImportLine[],
  document: ReadSession['document'],
): SessionImportLine[] {
  const there = new Set<string>();
  const visit = (value: unknown, path: string): void => {
    there.add(path);
    if (Array.isArray(value)) value.forEach((item, index) => visit(item, `${path}[${index}]`));
    else if (typeof value === 'object' && value !== null)
      for (const [key, inner] of Object.entries(value)) visit(inner, path === '' ? key : `${path}.${key}`);
  };
  visit(document.data, '');
  return lines.filter(({ path, result }) => result !== 'mapped' || there.has(path) || path.includes('["'));
}

function reportHead({ access }: SconeSession, present: Present, report: ImportReport): void {
  report.mapped(['name'], 'names the workloads');
  report.mapped(['version'], 'the language that was read');
  if (present(['predecessor']))
    report.mapped(['predecessor'], 'manifests are changed by compare-and-swap of their own versions');
  if (present(['namespace_hash']))
    report.unsupported(['namespace_hash'], 'sessions have no parent here; a hash of SCONE says nothing');
  if (present(['salt'])) report.mapped(['salt'], 'the digest of a manifest is public anyway');
  if (access.reference)
    report.unsupported(['access_policy'], 'a fragment of another session; administration is apart here');
  for (const right of ACCESS_RIGHTS) {
    const principals = access[right];
    if (!principals) continue;
    if (principals.every(({ kind }) => kind === 'creator'))
      report.mapped(['access_policy', right], 'the administrator alone');
    else
      report.unsupported(
        ['access_policy', right],
        'who may change or read a manifest is not said in it: the administrator alone may',
      );
  }
}

function importService(
  session: SconeSession,
  index: number,
  { tcb, debug, attested }: ImportedSecurity,
  present: Present,
  report: ImportReport,
): ImportedService[] {
  const service = session.services[index]!;
  const at = ['services', index];
  report.mapped([...at, 'name'], 'the workload');
  for (const key of ['fspf_path', 'fspf_key', 'fspf_tag', 'fspf_update_policy'])
    if (present([...at, key])) report.unsupported([...at, key], 'only for the runtime');
  if (service.pwd !== undefined)
    report.unsupported([...at, 'pwd'], 'a manifest has no working directory; start the service in it');
  if (service.otpSharedSecret !== undefined)
    report.unsupported([...at, 'one_time_password_shared_secret'], 'a manifest has no second factor');
  const identity = importIdentity(service, at, report);
  const platform = importPlatforms(service, at, report);
  const delivery = importDelivery(session, service, at, report);
  if (!attested || identity === undefined || platform === false) return [];
  const workload = {
    description: `SCONE ${session.name} ${service.name}`.slice(0, 1_024),
    identity,
    tcb,
    ...(debug ? { debug } : {}),
    ...(platform ? { platform } : {}),
    binding: { convention: ['sha256-spki', 'sha512-cert'] },
    certificate: {},
    ...delivery,
  };
  return [{ service: service.name, workload }];
}

function reportSecret(secret: SconeSecret, index: number, session: SconeSession, report: ImportReport): void {
  const at = ['secrets', index];
  const { importAkv, import: from, kind } = secret;
  if (importAkv) {
    const vault = vaultName(importAkv.vault);
    if (importAkv.decryptionKey !== undefined)
      report.unsupported(
        at,
        'encrypted in its vault by a key of the session; keep it with the CAS façade, or store it there as it is',
      );
    else if (kind !== undefined && kind !== 'ascii')
      report.unsupported(at, `${kind} of a vault; name it as objectType: cert or secret yourself`);
    else if (vault === undefined) report.unsupported(at, 'its vault has no name that a manifest could have');
    else report.mapped(at, `vault "${vault}", where a service has it`);
  } else if (kind === 'config-fragment' && !from) report.mapped(at, 'put in where this session refers to it');
  else if (from)
    report.unsupported(at, 'of another session; import that one, and name its vault object in "secrets"');
  else if (kind === 'aad-token') reportToken(secret, at, session, report);
  else
    report.unsupported(
      at,
      'secrets are not made by a manifest: the CAS façade makes them, or put a value into a vault',
    );
}

function reportRuntimeOnly({ images }: SconeSession, present: Present, report: ImportReport): void {
  if (present(['volumes']))
    report.unsupported(
      ['volumes'],
      "keys and tags of encrypted volumes are kept by SCONE's runtime and CAS alone",
    );
  if (present(['secret_config']))
    report.unsupported(['secret_config'], 'where secrets lie is configured by the deployment');
  for (const [index, image] of images.entries()) {
    report.mapped(['images', index, 'name'], 'see the services that name it');
    if (present(['images', index, 'volumes']))
      report.unsupported(['images', index, 'volumes'], "volumes are mounted by SCONE's runtime alone");
    if (image.provideSecrets)
      report.mapped(['images', index, 'provide_secrets'], 'only what the manifest names is released');
    if (image.files.length > 0 && !present(['services']))
      report.unsupported(['images', index, 'injection_files'], 'no service has this image');
  }
}
