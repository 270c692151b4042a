import { DcapError, parseJson } from '#dcap';
import { identityOf, type SourceNames, unknownMembers } from './enclave-identity.js';
import {
  type ImportChoices,
  type Importer,
  type ImportLine,
  malformed,
  textOf,
  type WorkloadMembers,
} from './importer.js';

type Members = Readonly<Record<string, unknown>>;

/** Members of a build that say how it was made or who keeps it, not what may run (em-client: Build, CreateBuildRequest). */
const BESIDE = new Set([
  'build_id',
  'docker_info',
  'created_at',
  'updated_at',
  'app_id',
  'app_name',
  'app_description',
  'build_name',
  'deployment_status',
  'mem_size',
  'threads',
]);
const ENCLAVE = ['mrenclave', 'mrsigner', 'isvprodid', 'isvsvn'] as const;
const MAX_BUILDS = 256;

/** Builds of Fortanix' manager: the answer of `GET /v1/builds`, one build of it, or what `POST /v1/builds` is sent, alone or in a list. */
export const FORTANIX_BUILDS: Importer = {
  what: "JSON of builds of Fortanix' Confidential Computing Manager",
  maxBytes: 1024 * 1024,
  read: (file, choices) => {
    const report: ImportLine[] = [];
    const apps = new Map<string, { identities: unknown[]; dns: string[]; description?: string }>();
    for (const [path, build] of buildsOf(json(file))) {
      const read = readBuild(path, build, choices);
      report.push(...read.report);
      if (!read.identity) continue;
      const key = String(build['app_id'] ?? build['app_name'] ?? '');
      const app = apps.get(key) ?? { identities: [], dns: [], ...described(build) };
      app.identities.push(read.identity);
      app.dns.push(...read.dns);
      apps.set(key, app);
    }
    const [workload, ...further] = [...apps.values()].map((app): WorkloadMembers => {
      const dns = [...new Set(app.dns)];
      return {
        ...(app.description === undefined ? {} : { description: app.description }),
        identity: app.identities.length === 1 ? app.identities[0] : app.identities,
        certificate: dns.length > 0 ? { dns } : {},
        fortanix: {},
      };
    });
    return { workload, further, report };
  },
};

function json(file: Buffer): unknown {
  const text = textOf(file);
  try {
    // Strict: a member that stands there twice could be read in two ways.
    parseJson(text, 'COLLATERAL_INVALID');
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof DcapError) throw malformed('it is no strict JSON');
    throw error;
  }
}

function* buildsOf(source: unknown): Generator<[path: string, build: Members]> {
  const listed = isObject(source) && 'items' in source ? source['items'] : source;
  const path = listed === source ? '' : 'items';
  if (isObject(listed)) {
    yield ['', listed];
    return;
  }
  if (!Array.isArray(listed) || listed.length > MAX_BUILDS)
    throw malformed(`there is neither a build nor a list of at most ${MAX_BUILDS}`);
  if (listed.length === 0) throw malformed('there is no build in it');
  for (const [index, build] of (listed as unknown[]).entries()) {
    if (!isObject(build)) throw malformed(`${path}[${index}] is no build`);
    yield [`${path}[${index}].`, build];
  }
}

function readBuild(path: string, build: Members, choices: ImportChoices) {
  const nested = isObject(build['enclave_info']) ? build['enclave_info'] : undefined;
  const at = nested ? `${path}enclave_info.` : path;
  const enclave = nested ?? build;
  const names: SourceNames = {
    mrenclave: `${at}mrenclave`,
    mrsigner: `${at}mrsigner`,
    isvprodid: `${at}isvprodid`,
    isvsvn: `${at}isvsvn`,
    debug: `${at}(debug)`,
  };
  const report: ImportLine[] = [];
  const listed = whitelisted(build['status'], `${path}status`, report);
  if (!listed) return { report, dns: [] };
  const { mrenclave, mrsigner, isvprodid, isvsvn } = enclave;
  // A build does not say whether it is one for debugging; the manifest refuses those whatever the build was.
  const read = identityOf({ mrenclave, mrsigner, isvprodid, isvsvn, debug: false }, names, choices);
  const own = read.report.filter(({ path: where }) => where !== names.debug);
  report.push(...own);
  const dns = certificateNames(build['advanced_settings'], `${path}advanced_settings`, report);
  const known = [...BESIDE, 'status', 'enclave_info', 'advanced_settings', ...(nested ? [] : ENCLAVE)];
  for (const name of Object.keys(build).filter((one) => BESIDE.has(one)))
    report.push({ path: `${path}${name}`, result: 'mapped', note: 'says nothing about what may run' });
  const strange = Object.keys(build).filter((name) => !known.includes(name));
  report.push(...unknownMembers(strange.map((name) => `${path}${name}`)));
  if (nested) {
    const rest = Object.keys(nested).filter((name) => !ENCLAVE.some((part) => part === name));
    report.push(...unknownMembers(rest.map((name) => `${at}${name}`)));
  }
  return { report, dns, identity: read.workload?.['identity'] };
}

/** A request for a build has no status; a build that is kept counts only once it was approved. */
function whitelisted(status: unknown, path: string, report: ImportLine[]): boolean {
  if (status === undefined) return true;
  const word = isObject(status) ? status['status'] : status;
  if (word === 'WHITELISTED') {
    report.push({ path, result: 'mapped', note: 'the build is approved' });
    return true;
  }
  const note = `the build is not approved (${JSON.stringify(word).slice(0, 40)}) and was left out`;
  report.push({ path, result: 'unsupported', note });
  return false;
}

/** Names of the certificate (em-client: CertificateConfig); the rest of the settings concerns the conversion alone. */
function certificateNames(settings: unknown, path: string, report: ImportLine[]): string[] {
  if (settings === undefined || settings === null) return [];
  if (!isObject(settings)) throw malformed(`"${path}" is no object`);
  const dns: string[] = [];
  for (const [name, value] of Object.entries(settings)) {
    const where = `${path}.${name}`;
    if (name === 'certificate' && isObject(value)) {
      for (const [part, text] of Object.entries(value))
        dns.push(...nameOf(`${where}.${part}`, part, text, report));
    } else
      report.push({
        path: where,
        result: 'unsupported',
        note: 'a setting of the conversion; it is in the measurement',
      });
  }
  return dns;
}

function nameOf(path: string, part: string, value: unknown, report: ImportLine[]): string[] {
  const given =
    part === 'subject'
      ? [value]
      : part === 'altNames' && Array.isArray(value)
        ? (value as unknown[])
        : undefined;
  if (!given) {
    report.push({
      path,
      result: 'mapped',
      note: 'how the enclave makes and keeps its key; it is in the measurement',
    });
    return [];
  }
  const names = given.map((one) => (typeof one === 'string' ? one.replace(/^DNS:/, '').toLowerCase() : ''));
  const plain = names.filter((name) =>
    /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/.test(name),
  );
  const result = plain.length === names.length ? 'mapped' : 'unsupported';
  const note =
    result === 'mapped' ? 'certificate.dns' : 'not all of it are DNS names; the others were left out';
  report.push({ path, result, note });
  return plain;
}

function described({ app_name: name }: Members): { description?: string } {
  return typeof name === 'string' && name.length <= 256 ? { description: name } : {};
}

const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
