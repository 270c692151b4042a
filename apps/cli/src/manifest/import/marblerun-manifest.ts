import { marblerun } from '#policy';
import {
  type Imported,
  type Importer,
  type ImportLine,
  malformed,
  type WorkloadMembers,
} from './importer.js';

type Report = (path: string, result: ImportLine['result'], note: string) => void;

/**
 * A manifest of MarbleRun's coordinator (JSON): each marble becomes a workload. What templates build out of secrets has no equal here, except
 * an environment variable or file that is one secret of a vault.
 */
export const MARBLERUN_MANIFEST: Importer = {
  what: "manifest of MarbleRun's coordinator (JSON)",
  maxBytes: marblerun.MAX_MANIFEST_BYTES,
  read: (file): Imported => {
    const { manifest, unknown } = read(file);
    const report: ImportLine[] = [];
    const add: Report = (path, result, note) => void report.push({ path, result, note });
    for (const { path, key } of unknown)
      add([...path.slice(1), key].join('.'), 'unsupported', 'not known; MarbleRun passes over it as well');
    for (const [name, properties] of manifest.packages) reportPackage(name, properties, add);
    const workloads = [...manifest.marbles].map(([name, marble]) => workloadOf(name, marble, manifest, add));
    reportRest(manifest, add);
    const [workload, ...further] = workloads;
    return { workload, further, report };
  },
};

function read(file: Buffer): marblerun.ReadManifest {
  try {
    const found = marblerun.readManifest(file);
    const [fault] = marblerun.checkManifest(found.manifest);
    if (fault) throw malformed(`${fault.message} ("siegel manifest lint --kind marblerun" shows all)`);
    return found;
  } catch (error) {
    if (error instanceof marblerun.ManifestSyntaxError) throw malformed(error.message);
    throw error;
  }
}

function reportPackage(name: string, properties: marblerun.PackageProperties, add: Report): void {
  const path = `Packages.${name}`;
  const { debug, uniqueId, signerId, acceptedTcbStatuses, acceptedAdvisories } = properties;
  if (uniqueId === undefined && signerId === undefined)
    add(path, 'unsupported', 'names neither UniqueID nor SignerID, as only debug packages may');
  else add(path, 'mapped', 'identity');
  if (debug)
    add(
      `${path}.Debug`,
      'weakened',
      'debug: true; other than MarbleRun it accepts enclaves without debug too',
    );
  for (const status of acceptedTcbStatuses) {
    if (status === 'Revoked')
      add(`${path}.AcceptedTCBStatuses`, 'unsupported', 'revoked platforms are always refused');
    else if (!(marblerun.MARBLERUN_TCB_STATUSES as readonly string[]).includes(status))
      add(`${path}.AcceptedTCBStatuses`, 'unsupported', `"${status}" is no status`);
  }
  if (acceptedAdvisories.length > 0)
    add(
      `${path}.AcceptedAdvisories`,
      'mapped',
      'tcb.advisories.allow, at every status and not only SWHardeningNeeded',
    );
}

function workloadOf(
  name: string,
  marble: marblerun.Marble,
  manifest: marblerun.Manifest,
  add: Report,
): WorkloadMembers {
  const path = `Marbles.${name}`;
  add(path, 'mapped', 'a workload; its certificate takes the place of MARBLE_PREDEFINED_…');
  const { parameters, maxActivations, tls } = marble;
  if (maxActivations > 0) add(`${path}.MaxActivations`, 'unsupported', 'workloads are not counted');
  if (tls.length > 0) add(`${path}.TLS`, 'unsupported', 'the application uses its certificate itself');
  const env: Record<string, string> = {};
  const secrets: object[] = [];
  for (const [variable, value] of parameters.env) {
    const where = `${path}.Parameters.Env.${variable}`;
    const secret = granted(value, manifest);
    if (secret) {
      secrets.push({ ...secret, objectAlias: variable, as: 'env' });
      add(where, 'mapped', 'a secret of a vault');
    } else if (literal(value)) {
      env[variable] = value.data.toString('utf8');
      add(where, 'mapped', 'env');
    } else add(where, 'unsupported', 'a template; put the value into a vault and name it in "secrets"');
  }
  for (const [file, value] of parameters.files) {
    const where = `${path}.Parameters.Files.${file}`;
    const secret = granted(value, manifest);
    if (secret) {
      secrets.push({ ...secret, as: 'file', path: file });
      add(where, 'mapped', 'a secret of a vault');
    } else add(where, 'unsupported', 'put the content into a vault and name it in "secrets"');
  }
  if (parameters.argv.length > 0) add(`${path}.Parameters.Argv`, 'mapped', 'argv');
  return {
    ...identityOf(manifest.packages.get(marble.package) as marblerun.PackageProperties),
    certificate: {},
    ...(Object.keys(env).length > 0 ? { env } : {}),
    ...(parameters.argv.length > 0
      ? { argv: parameters.argv.map((argument) => argument.replaceAll('$', '$$$$')) }
      : {}),
    ...(secrets.length > 0 ? { secrets } : {}),
  };
}

function identityOf(properties: marblerun.PackageProperties): WorkloadMembers {
  const { debug, uniqueId, signerId, productId, securityVersion } = properties;
  const identity = {
    ...(uniqueId === undefined ? {} : { mrenclave: [uniqueId] }),
    ...(signerId === undefined ? {} : { mrsigner: [signerId] }),
    ...(productId === undefined ? {} : { isvprodid: Number(productId) }),
    ...(securityVersion === undefined ? {} : { isvsvn: securityVersion }),
  };
  const given = properties.acceptedTcbStatuses;
  const accepted = new Set(['UpToDate', ...(given.length > 0 ? given : ['SWHardeningNeeded'])]);
  const accept = marblerun.MARBLERUN_TCB_STATUSES.filter(
    (status) => accepted.has(status) && status !== 'Revoked',
  );
  const advisories = properties.acceptedAdvisories.map((advisory) => advisory.toUpperCase());
  return {
    identity,
    tcb: { accept, ...(advisories.length > 0 ? { advisories: { allow: advisories } } : {}) },
    ...(debug ? { debug: true } : {}),
  };
}

/** The secret of a vault that a value is, whole and as it is. */
function granted(
  { data, template }: marblerun.ParameterValue,
  { secrets }: marblerun.Manifest,
): object | undefined {
  const name = template ? WHOLE_SECRET.exec(data.toString('utf8'))?.[1] : undefined;
  const source = name === undefined ? undefined : secrets.get(name)?.source;
  if (!source) return undefined;
  const { vault, objectName, objectVersion } = source;
  return {
    vault,
    objectName,
    objectType: 'secret',
    ...(objectVersion === undefined ? {} : { objectVersion }),
  };
}

const WHOLE_SECRET = /^\{\{\s*(?:raw|string)\s+\.Secrets\.([A-Za-z0-9_]+)\s*\}\}$/;

const literal = ({ data, template }: marblerun.ParameterValue): boolean => {
  const text = data.toString('utf8');
  return Buffer.from(text, 'utf8').equals(data) && !(template && text.includes('{{'));
};

function reportRest(
  { infrastructures, secrets, users, roles, recoveryKeys, config }: marblerun.Manifest,
  add: Report,
) {
  for (const name of infrastructures.keys())
    add(`Infrastructures.${name}`, 'unsupported', 'name platforms by fmspc in "platform"');
  for (const [name, { source }] of secrets) {
    if (source) add(`Secrets.${name}`, 'mapped', 'a secret of a vault, where a workload has it');
    else add(`Secrets.${name}`, 'unsupported', 'secrets are not made here: put a value into a vault');
  }
  for (const name of users.keys())
    add(`Users.${name}`, 'unsupported', 'administration is apart from manifests');
  for (const name of roles.keys())
    add(`Roles.${name}`, 'unsupported', 'administration is apart from manifests');
  for (const name of recoveryKeys.keys())
    add(`RecoveryKeys.${name}`, 'mapped', 'no meaning: no secret has its only copy here');
  if (config.rotateRootSecret || config.updateThreshold > 0)
    add('Config', 'unsupported', 'nobody but the administrator changes a manifest, by compare-and-swap');
}
