import { createHash } from 'node:crypto';

/** A file of an application configuration; without `contents` it is empty. */
export interface AppConfigFile {
  /** base64 */
  readonly contents?: string | undefined;
}
export interface AppConfigOwner {
  readonly acct_id?: string | undefined;
  readonly group_id?: string | undefined;
}
export interface AppConfigPort {
  readonly dataset?: (AppConfigOwner & { readonly id: string }) | undefined;
  readonly application?: AppConfigOwner | undefined;
}
export interface AppConfigWorkflow {
  readonly workflow_id: string;
  readonly app_name: string;
  readonly port_map: Readonly<Record<string, Readonly<Record<string, AppConfigPort>>>>;
  readonly app_acct_id?: string | undefined;
  readonly app_group_id?: string | undefined;
}
/** The part of a runtime configuration that its identifier commits to (em-client: HashedConfig). */
export interface AppConfig {
  readonly app_config: Readonly<Record<string, AppConfigFile>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly zone_ca: readonly string[];
  readonly workflow?: AppConfigWorkflow | undefined;
}

/**
 * The configuration as the client serialises it before it hashes it: compact JSON, members in the order of its structures, maps by
 * the bytes of their keys, `zone_ca` as a sorted set, absent options left out, UUIDs in lower case. Written by hand because
 * `JSON.stringify` moves keys that look like numbers to the front.
 */
export function serialiseAppConfig({ app_config, labels, zone_ca, workflow }: AppConfig): string {
  return object([
    ['app_config', map(app_config, ({ contents }) => object([['contents', optional(contents, text)]]))],
    ['labels', map(labels, text)],
    ['zone_ca', `[${[...new Set(zone_ca)].sort(byBytes).map(text).join(',')}]`],
    ['workflow', optional(workflow, workflowText)],
  ]);
}

/** SHA-256 of that text: what a client is started with as its configuration id. */
export function appConfigId(config: AppConfig): Buffer {
  return createHash('sha256').update(serialiseAppConfig(config), 'utf8').digest();
}

function workflowText(workflow: AppConfigWorkflow): string {
  return object([
    ['workflow_id', uuid(workflow.workflow_id)],
    ['app_name', text(workflow.app_name)],
    ['port_map', map(workflow.port_map, (names) => map(names, portText))],
    ['app_acct_id', optional(workflow.app_acct_id, uuid)],
    ['app_group_id', optional(workflow.app_group_id, uuid)],
  ]);
}

function portText({ dataset, application }: AppConfigPort): string {
  return object([
    ['dataset', optional(dataset, (one) => object([['id', uuid(one.id)], ...owner(one)]))],
    ['application', optional(application, (one) => object(owner(one)))],
  ]);
}

const owner = ({ acct_id, group_id }: AppConfigOwner): Member[] => [
  ['acct_id', optional(acct_id, uuid)],
  ['group_id', optional(group_id, uuid)],
];

type Member = readonly [name: string, value: string | undefined];

function object(members: readonly Member[]): string {
  const present = members.filter(([, value]) => value !== undefined);
  return `{${present.map(([name, value]) => `"${name}":${value}`).join(',')}}`;
}

function map<T>(entries: Readonly<Record<string, T>>, value: (entry: T) => string): string {
  const sorted = Object.entries(entries).sort(([a], [b]) => byBytes(a, b));
  return `{${sorted.map(([key, entry]) => `${text(key)}:${value(entry)}`).join(',')}}`;
}

function optional<T>(value: T | undefined, write: (value: T) => string): string | undefined {
  return value === undefined ? undefined : write(value);
}

/** JSON.stringify escapes a text as serde_json does: the seven short forms, and other control characters as \u00xx. */
const text = (value: string): string => JSON.stringify(value);
const uuid = (value: string): string => `"${value.toLowerCase()}"`;
/** UTF-8 and UTF-16 sort alike but for characters beyond the basic plane. */
const byBytes = (a: string, b: string): number =>
  Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'));
