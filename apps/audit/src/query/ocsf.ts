import type { LoggedEvent } from './query-schema.js';

/**
 * Version of the Open Cybersecurity Schema Framework (https://schema.ocsf.io) that exports are in. Pinned: later ones change
 * what members mean (metadata.uid in 1.7).
 */
export const OCSF_VERSION = '1.1.0';

type Event = LoggedEvent['event'] & {
  tenant?: string;
  time?: string;
  workload?: string;
  mrenclave?: string;
  session?: string;
  reason?: { code: string; message: string };
  emitter?: { name: string };
  data?: Record<string, unknown>;
};

/** A class of events with the members that it needs beside those of all. */
interface Mapping {
  class: number;
  activity: number;
  members?: (event: Event) => Record<string, unknown>;
}

const BASE_EVENT = 0;
const OTHER = 99;
const AUTHENTICATION = 3_002;
const AUTHORIZE_SESSION = 3_003;
const ENTITY_MANAGEMENT = 3_004;
const DETECTION_FINDING = 2_004;
const APPLICATION_LIFECYCLE = 6_002;

/** An enclave is the "user": a system that is known by its workload and its measurement. */
const user = ({ workload, mrenclave }: Event) => ({
  name: workload ?? mrenclave ?? 'unknown',
  ...(mrenclave === undefined ? {} : { uid: mrenclave }),
  type_id: 3,
});
const withSession = (event: Event) => ({
  user: user(event),
  ...(event.session === undefined ? {} : { session: { uid: event.session } }),
});
const authentication = (event: Event) => ({
  ...withSession(event),
  service: { name: event.emitter?.name ?? 'siegel' },
});
const privileges = (event: Event) => {
  const grants = (event.data?.['grants'] ?? []) as { vault?: string; alias?: string }[];
  const names = grants.map(({ vault, alias }) => `${vault}/${alias}`);
  return { ...withSession(event), privileges: names.length > 0 ? names : ['none'] };
};
const keyPrivilege = (event: Event) => ({
  ...withSession(event),
  privileges: [`key ${String(event.data?.['key'])}`],
});
const entity =
  (type: string, name: (data: Record<string, unknown>) => unknown) =>
  ({ data = {}, tenant }: Event) => ({
    entity: { type, name: String(name(data) ?? tenant) },
    ...(typeof data['actor'] === 'string' ? { actor: { user: { name: data['actor'] } } } : {}),
  });
const secret = entity('secret', ({ vault, objectName }) => `${String(vault)}/${String(objectName)}`);
const evidence = entity('evidence', ({ sha256 }) => sha256);
const manifest = entity('manifest', () => undefined);
const coordinator = entity('marblerun-coordinator', ({ deployment }) => deployment);
const application = ({ data = {}, emitter }: Event) => ({
  app: {
    name: String(data['service'] ?? emitter?.name ?? 'siegel'),
    vendor_name: 'Siegel',
    ...(typeof data['version'] === 'string' ? { version: data['version'] } : {}),
  },
});
const finding = ({ id, type, reason }: Event) => ({
  finding_info: { uid: id, title: reason?.message ?? type },
  is_alert: true,
});

const MAPPINGS: Readonly<Record<string, Mapping>> = {
  'attestation.granted': { class: AUTHENTICATION, activity: 1, members: authentication },
  'attestation.denied': { class: AUTHENTICATION, activity: 1, members: authentication },
  'release.granted': { class: AUTHORIZE_SESSION, activity: 1, members: privileges },
  'release.denied': { class: AUTHORIZE_SESSION, activity: 1, members: privileges },
  'key.released': { class: AUTHORIZE_SESSION, activity: 1, members: keyPrivilege },
  'key.refused': { class: AUTHORIZE_SESSION, activity: 1, members: keyPrivilege },
  'token.issued': { class: AUTHENTICATION, activity: 1, members: authentication },
  'token.refused': { class: AUTHENTICATION, activity: 1, members: authentication },
  'token.drafted': { class: AUTHENTICATION, activity: OTHER, members: authentication },
  'session.reappraised': { class: AUTHENTICATION, activity: OTHER, members: authentication },
  'session.revoked': { class: AUTHENTICATION, activity: 2, members: authentication },
  'manifest.set': { class: ENTITY_MANAGEMENT, activity: 3, members: manifest },
  'manifest.refused': { class: ENTITY_MANAGEMENT, activity: 3, members: manifest },
  'secret.set': { class: ENTITY_MANAGEMENT, activity: 3, members: secret },
  'secret.rotated': { class: ENTITY_MANAGEMENT, activity: 3, members: secret },
  'secret.withdrawn': { class: ENTITY_MANAGEMENT, activity: 3, members: secret },
  'secret.deleted': { class: ENTITY_MANAGEMENT, activity: 4, members: secret },
  'coordinator.manifest': { class: ENTITY_MANAGEMENT, activity: 3, members: coordinator },
  'coordinator.secrets': { class: ENTITY_MANAGEMENT, activity: OTHER, members: coordinator },
  'coordinator.recovery': { class: ENTITY_MANAGEMENT, activity: OTHER, members: coordinator },
  'coordinator.counter': { class: ENTITY_MANAGEMENT, activity: 3, members: coordinator },
  'coordinator.quote-signed': { class: ENTITY_MANAGEMENT, activity: OTHER, members: coordinator },
  'coordinator.refused': { class: ENTITY_MANAGEMENT, activity: OTHER, members: coordinator },
  'service.started': { class: APPLICATION_LIFECYCLE, activity: 3, members: application },
  'service.stopped': { class: APPLICATION_LIFECYCLE, activity: 4, members: application },
  'service.leading': { class: APPLICATION_LIFECYCLE, activity: OTHER, members: application },
  'service.signer': {
    class: ENTITY_MANAGEMENT,
    activity: 3,
    members: entity('key', (data) => data['keyName']),
  },
  'evidence.missing': { class: DETECTION_FINDING, activity: 1, members: finding },
  'evidence.erased': { class: ENTITY_MANAGEMENT, activity: 4, members: evidence },
  'evidence.read': { class: ENTITY_MANAGEMENT, activity: 2, members: evidence },
  'log.key': { class: ENTITY_MANAGEMENT, activity: 3, members: entity('key', (data) => data['next']) },
  'log.gap': { class: DETECTION_FINDING, activity: 1, members: finding },
  'log.duplicate': { class: DETECTION_FINDING, activity: 1, members: finding },
  'log.reordered': { class: DETECTION_FINDING, activity: 1, members: finding },
  'log.forged': { class: DETECTION_FINDING, activity: 1, members: finding },
};

const INFORMATIONAL = 1;
const MEDIUM = 3;
const HIGH = 4;
const SEVERITY: Readonly<Record<string, number>> = { denied: MEDIUM, alert: HIGH };
const SUCCESS = 1;
const FAILURE = 2;
const STATUS: Readonly<Record<string, number>> = { granted: SUCCESS, ok: SUCCESS, denied: FAILURE };

/** One logged event in OCSF. The signed event itself stands in `unmapped`, so that nothing is lost. */
export function ocsfEvent({ event, kid, sig, log, index, loggedAt }: LoggedEvent): Record<string, unknown> {
  const known = event as Event;
  const mapping = MAPPINGS[event.type] ?? { class: BASE_EVENT, activity: OTHER };
  const status = STATUS[event.outcome] ?? OTHER;
  return {
    class_uid: mapping.class,
    category_uid: Math.floor(mapping.class / 1_000),
    activity_id: mapping.activity,
    ...(mapping.activity === OTHER ? { activity_name: event.type } : {}),
    type_uid: mapping.class * 100 + mapping.activity,
    severity_id: SEVERITY[event.outcome] ?? INFORMATIONAL,
    status_id: status,
    ...(status === OTHER ? { status: event.outcome } : {}),
    ...(known.reason === undefined
      ? {}
      : { status_code: known.reason.code, status_detail: known.reason.message }),
    time: Date.parse(known.time ?? loggedAt),
    message: known.reason?.message ?? event.type,
    metadata: {
      version: OCSF_VERSION,
      uid: event.id,
      product: { vendor_name: 'Siegel', name: 'Siegel', feature: { name: known.emitter?.name ?? 'siegel' } },
      log_name: log,
      sequence: index,
      logged_time: Date.parse(loggedAt),
      ...(known.tenant === undefined ? {} : { tenant_uid: known.tenant }),
    },
    ...mapping.members?.(known),
    unmapped: { event, kid, sig },
  };
}
