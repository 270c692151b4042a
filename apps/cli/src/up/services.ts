import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WITNESS_NAME } from './key-material.js';
import type { Layout } from './layout.js';
import type { MaaFiles } from './maa-files.js';
import type { ProcessSpec } from './managed-process.js';
import { inboxPrefix, type NatsUser } from './nats-config.js';
import type { Ports } from './ports.js';

export interface DeploymentSettings {
  readonly layout: Layout;
  readonly ports: Ports;
  readonly tenant: string;
  readonly trustDomain: string;
  readonly logOrigin: string;
  readonly publicUrl: string;
  /** Verifier key of the embedded witness; audit asks none where absent. */
  readonly witnessKey?: string;
  /** Where the verifier also serves the API of Microsoft Azure Attestation. */
  readonly maa?: MaaFiles;
  /** Token of the audit API where this start made it: to be shown this once. */
  readonly newAuditToken?: string;
  readonly logLevel: string;
  /** Further variables of every service; they come after our own. */
  readonly environment?: Readonly<Record<string, string>>;
  /** A program in front of every process that ends it when we end, however that is. */
  readonly leash?: readonly string[];
}

/** The same process, started by the leash. */
export function leashed(spec: ProcessSpec, { leash }: DeploymentSettings): ProcessSpec {
  const [command, ...args] = leash ?? [];
  return command === undefined ? spec : { ...spec, command, args: [...args, spec.command, ...spec.args] };
}

const DIST = fileURLToPath(new URL('../../../../', import.meta.url));
export const entryOf = (service: string): string => join(DIST, 'apps', service, 'src', 'main.js');

/** The names of the services in the order in which they are started. */
export const SERVICES = ['audit', 'quote-verifier', 'key-release'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** Variables that a child must not inherit: what configures us or a Node in general is not meant for the services. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, LANG, TZ, TMPDIR } = process.env;
  return Object.fromEntries(
    Object.entries({ PATH, HOME, LANG, TZ, TMPDIR }).filter(([, value]) => value !== undefined),
  );
}

/**
 * Node sizes its heaps for a machine of its own. These bounds keep each service below 300 MiB resident at 1,000 attests a second
 * (measured with bench/attest); audit runs several threads, each with heaps of its own.
 *
 * The buffers of requests in flight count against the old generation and set off collections of all of key-release's heap, one a
 * second at 1,000 attests; with room for 80 % more than what lives it is one in four seconds. In audit, collection by threads of its
 * own took 70 µs of an event; its heaps are small enough for one.
 */
const MEMORY: Record<ServiceName, readonly string[]> = {
  audit: ['--max-semi-space-size=8', '--max-old-space-size=192', '--single-threaded-gc'],
  'quote-verifier': ['--max-semi-space-size=8', '--max-old-space-size=192'],
  'key-release': ['--max-semi-space-size=24', '--max-old-space-size=448', '--heap-growing-percent=80'],
};

/** No session tickets in TLS 1.3, which a generation of Gramine's clients does not survive. */
const OPENSSL = `--openssl-config=${join(DIST, '..', 'apps', 'key-release', 'openssl.cnf')}`;

export function serviceSpec(name: ServiceName, settings: DeploymentSettings): ProcessSpec {
  const { layout, ports } = settings;
  const user = name.replace('-', '_') as NatsUser;
  const port = { audit: ports.audit, 'quote-verifier': ports.verifier, 'key-release': ports.release }[name];
  return {
    name,
    command: process.execPath,
    args: [...MEMORY[name], ...(name === 'key-release' ? [OPENSSL] : []), entryOf(name)],
    logFile: layout.log(name),
    parentPipe: true,
    env: {
      ...cleanEnvironment(),
      NODE_ENV: 'production',
      // glibc keeps an arena per thread; with two the freed memory is used again instead of piling up.
      MALLOC_ARENA_MAX: '2',
      SIEGEL_NATS_SERVERS: `nats://127.0.0.1:${ports.nats}`,
      SIEGEL_NATS_SEED_FILE: layout.seed(user),
      SIEGEL_NATS_INBOX_PREFIX: inboxPrefix(user),
      SIEGEL_TRUST_FILE: layout.trust,
      SIEGEL_STATE_DIR: layout.service(name),
      SIEGEL_HTTP_HOST: '127.0.0.1',
      SIEGEL_HTTP_PORT: String(port),
      SIEGEL_INSTANCE: `${name}-1`,
      SIEGEL_LOG_LEVEL: settings.logLevel,
      SIEGEL_SIMULATION: 'true',
      SIEGEL_EMITTER_KEY_FILE: layout.key(name, 'emitter'),
      ...OWN_VARIABLES[name](settings),
      ...settings.environment,
    },
  };
}

const OWN_VARIABLES: Record<ServiceName, (settings: DeploymentSettings) => NodeJS.ProcessEnv> = {
  audit: ({ layout, ports, witnessKey }) => ({
    ...(witnessKey === undefined
      ? {}
      : { SIEGEL_AUDIT_WITNESSES: `http://127.0.0.1:${ports.witness} ${witnessKey}` }),
    SIEGEL_AUDIT_LOG_KEY_FILE: layout.key('audit', 'log'),
    SIEGEL_AUDIT_TOKEN_FILE: layout.auditToken,
  }),
  'quote-verifier': ({ layout, ports, maa, logOrigin }) => ({
    SIEGEL_VERDICT_KEY_FILE: layout.key('quote-verifier', 'verdict'),
    SIEGEL_SIMULATED_ROOT_FILE: layout.simulatedRoot,
    SIEGEL_COLLATERAL_SOURCES: 'bundle',
    SIEGEL_COLLATERAL_BUNDLE_DIR: layout.bundles,
    ...(maa === undefined
      ? {}
      : {
          SIEGEL_MAA_PORT: String(ports.maa),
          SIEGEL_MAA_TENANTS_FILE: maa.tenants,
          SIEGEL_MAA_TLS_CERT_FILE: maa.certificate,
          SIEGEL_MAA_TLS_KEY_FILE: maa.key,
          SIEGEL_LOG_ORIGIN: logOrigin,
        }),
  }),
  'key-release': ({ layout, ports, tenant, trustDomain, logOrigin, publicUrl }) => ({
    SIEGEL_PUBLIC_URL: publicUrl,
    SIEGEL_TLS_NAMES: 'localhost,127.0.0.1',
    SIEGEL_DEFAULT_TENANT: tenant,
    SIEGEL_TRUST_DOMAIN: trustDomain,
    SIEGEL_PKI_DIR: layout.pki,
    SIEGEL_TOKEN_KEY_DIR: layout.path('key-release', 'token-keys'),
    SIEGEL_MANIFEST_KEY_FILE: layout.key('key-release', 'manifest'),
    SIEGEL_CHALLENGE_KEY_FILE: layout.challengeKey,
    SIEGEL_ADMIN_TOKEN_FILE: layout.adminToken,
    SIEGEL_VAULTS_FILE: layout.vaults,
    SIEGEL_LOG_ORIGIN: logOrigin,
    SIEGEL_RA_TLS: 'true',
    ...(ports.gramine === undefined ? {} : { SIEGEL_GRAMINE_PORT: String(ports.gramine) }),
    ...(ports.trustee === undefined ? {} : { SIEGEL_TRUSTEE_PORT: String(ports.trustee) }),
  }),
};

export function natsSpec(layout: Layout, binary: string): ProcessSpec {
  return {
    name: 'nats-server',
    command: binary,
    args: ['--config', layout.natsConfig],
    logFile: layout.log('nats-server'),
    parentPipe: false,
    env: cleanEnvironment(),
  };
}

/** The witness shares nothing with the audit service but the log's public key: no NATS, no trust file, a folder of its own. */
export function witnessSpec({ layout, ports }: DeploymentSettings): ProcessSpec {
  return {
    name: 'witness',
    command: process.execPath,
    args: ['--max-semi-space-size=1', '--max-old-space-size=64', '--no-warnings', entryOf('witness')],
    logFile: layout.log('witness'),
    parentPipe: true,
    env: {
      ...cleanEnvironment(),
      NODE_ENV: 'production',
      MALLOC_ARENA_MAX: '2',
      SIEGEL_WITNESS_NAME: WITNESS_NAME,
      SIEGEL_WITNESS_KEY_FILE: layout.key('witness', 'witness'),
      SIEGEL_WITNESS_LOGS_FILE: layout.witnessLogs,
      SIEGEL_STATE_DIR: layout.service('witness'),
      SIEGEL_HTTP_HOST: '127.0.0.1',
      SIEGEL_HTTP_PORT: String(ports.witness),
    },
  };
}
