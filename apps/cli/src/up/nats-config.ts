import { BUCKETS, STREAMS, SUBJECTS } from '#contracts';
import type { Layout } from './layout.js';

export const NATS_USERS = ['quote_verifier', 'key_release', 'audit', 'operator', 'auditor'] as const;
export type NatsUser = (typeof NATS_USERS)[number];
export const inboxPrefix = (user: NatsUser): string => `_INBOX_${user}`;

interface Permissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
  readonly responses?: boolean;
}

/** The JetStream API that reads one stream and makes consumers of it. */
const readingApi = (stream: string): string[] => [
  '$JS.API.INFO',
  ...['STREAM.INFO', 'STREAM.MSG.GET', 'CONSUMER.CREATE', 'CONSUMER.LIST', 'DIRECT.GET'].map(
    (call) => `$JS.API.${call}.${stream}`,
  ),
  ...[
    'CONSUMER.CREATE',
    'CONSUMER.DURABLE.CREATE',
    'CONSUMER.DELETE',
    'CONSUMER.INFO',
    'CONSUMER.MSG.NEXT',
    'DIRECT.GET',
  ].map((call) => `$JS.API.${call}.${stream}.>`),
  `$JS.ACK.${stream}.>`,
  '$JS.FC.>',
];
/** The same for a service that makes the stream, without deleting or purging it: nobody takes logged events or manifests away over NATS. */
const streamApi = (stream: string): string[] => [
  ...['STREAM.CREATE', 'STREAM.UPDATE'].map((call) => `$JS.API.${call}.${stream}`),
  ...readingApi(stream),
];
const bucketApi = (bucket: string): string[] => [`$KV.${bucket}.>`, ...streamApi(`KV_${bucket}`)];

/** Who may say and hear what; the auditor reads the events and can publish nothing but its own pull requests and acks, the operator makes such readers. */
const PERMISSIONS: Record<NatsUser, Permissions> = {
  quote_verifier: {
    publish: [
      SUBJECTS.collateralChanged,
      SUBJECTS.auditAppend,
      SUBJECTS.auditEvidence,
      SUBJECTS.auditCollateral,
      ...bucketApi(BUCKETS.collateral),
    ],
    subscribe: [SUBJECTS.verify, SUBJECTS.collateralChanged],
    responses: true,
  },
  key_release: {
    publish: [
      SUBJECTS.verify,
      SUBJECTS.auditAppend,
      SUBJECTS.vaultChanged,
      ...bucketApi(BUCKETS.manifests),
      ...bucketApi(BUCKETS.sessions),
      ...bucketApi(BUCKETS.enrolments),
      ...bucketApi(BUCKETS.sconeSessions),
      ...bucketApi(BUCKETS.sconeTokens),
      ...bucketApi(BUCKETS.loginProofs),
    ],
    subscribe: [SUBJECTS.collateralChanged, SUBJECTS.vaultChanged],
  },
  audit: {
    // Replicas that stand by append what they give out of kept evidence to the one that sequences.
    publish: [SUBJECTS.auditAppend, `${SUBJECTS.events}.>`, ...streamApi(STREAMS.events)],
    subscribe: [SUBJECTS.auditAppend, SUBJECTS.auditEvidence, SUBJECTS.auditCollateral],
    responses: true,
  },
  operator: {
    publish: readingApi(STREAMS.events),
    subscribe: [`${SUBJECTS.events}.>`],
  },
  auditor: {
    publish: [
      `$JS.API.CONSUMER.MSG.NEXT.${STREAMS.events}.auditor`,
      `$JS.API.CONSUMER.INFO.${STREAMS.events}.auditor`,
      `$JS.ACK.${STREAMS.events}.auditor.>`,
    ],
    subscribe: [`${SUBJECTS.events}.>`],
  },
};

/** One user as the configuration has it. */
export interface NatsUserEntry {
  readonly publicKey: string;
  readonly permissions: Permissions;
}

/** What the configuration depends on beside its users. */
export interface NatsSettings {
  readonly port: number;
  /** Of nats-server: major, minor, patch. */
  readonly version: readonly number[];
}

/** The fixed users with their keys, and the inbox that each may hear. */
export const fixedUsers = (publicKeys: Readonly<Record<NatsUser, string>>): NatsUserEntry[] =>
  NATS_USERS.map((user) => {
    const { subscribe, ...rest } = PERMISSIONS[user];
    return {
      publicKey: publicKeys[user],
      permissions: { ...rest, subscribe: [...subscribe, `${inboxPrefix(user)}.>`] },
    };
  });

export function natsConfig(
  layout: Layout,
  settings: NatsSettings,
  entries: readonly NatsUserEntry[],
): string {
  const quote = (texts: readonly string[]): string => texts.map((text) => JSON.stringify(text)).join(', ');
  const users = entries.map(({ publicKey, permissions: { publish, subscribe, responses } }) => {
    return `    { nkey: ${publicKey}, permissions: {
        publish: { allow: [${quote([...new Set(publish)])}] }
        subscribe: { allow: [${quote(subscribe)}] }${responses ? '\n        allow_responses: { max: 1, expires: "1m" }' : ''}
    } }`;
  });
  // Older servers refuse to start over this setting; the audit log does not rely on it (it has its own fsync).
  const [major = 0, minor = 0] = settings.version;
  const durable = major > 2 || (major === 2 && minor >= 10) ? '\n  sync_interval: always' : '';
  return `# Written at every start and for every auditor; edit the command's options instead.
host: 127.0.0.1
port: ${settings.port}
server_name: siegel
pid_file: ${JSON.stringify(layout.natsPid)}
max_payload: 1MB
jetstream {
  store_dir: ${JSON.stringify(layout.natsData)}
  max_file_store: 16GB
  max_memory_store: 64MB${durable}
}
accounts {
  SIEGEL {
    jetstream: enabled
    users: [
${users.join('\n')}
    ]
  }
}
`;
}
