import { SiegelError } from '#contracts';
import type { AuditEmitter } from '#emitter';
import { NATS_CONNECTION } from '#platform';
import { scone } from '#policy';
import type { NatsConnection } from '@nats-io/transport-node';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { AUDIT_EMITTER } from '../../../audit/audit.module.js';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../../environment.js';
import { HighWaterMarks } from '../../../manifests/high-water.js';
import { formatSecret } from '../secrets/formats.js';
import { makeSecrets, renewCertificates } from '../secrets/make-secrets.js';
import { SconeError } from '../scone-error.js';
import { readSealingKey, readSettings, type SconeTenant } from '../settings-file.js';
import { permits } from './access.js';
import type { SconeClient } from './client.js';
import { SessionBucket, type StoredSession } from './session-bucket.js';
import { SealedRecords, sessionHash, type SessionRecord } from './session-record.js';

const MAX_SECRETS = 256;
/** Each takes up to a second of a processor. */
const MAX_RSA_KEYS = 16;

/** A session and what is in force of it. */
export interface OpenSession {
  readonly session: scone.SconeSession;
  readonly read: scone.ReadSession;
  readonly record: SessionRecord;
}

export type PublicValue = { kind: 'string'; value: string; expires: null; renew: null };

/** Sessions: created, replaced and read by the rules of their own access policies. Every act is in the log before it is answered. */
@Injectable()
export class SessionService implements OnApplicationBootstrap {
  private bucket: SessionBucket | undefined;
  private tenants: ReadonlyMap<string, SconeTenant> = new Map();

  constructor(
    @Inject(NATS_CONNECTION) private readonly nats: NatsConnection,
    @Inject(AUDIT_EMITTER) private readonly audit: AuditEmitter,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {
    if (environment.SIEGEL_SCONE_PORT === 0) return;
    this.tenants = readSettings(environment);
    readSealingKey(environment);
  }

  async onApplicationBootstrap(): Promise<void> {
    if (this.environment.SIEGEL_SCONE_PORT === 0) return;
    const folder = join(this.environment.SIEGEL_STATE_DIR, 'scone');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.bucket = await SessionBucket.open(
      this.nats,
      this.environment.SIEGEL_MANIFEST_REPLICAS,
      new SealedRecords(readSealingKey(this.environment), 'session'),
      new HighWaterMarks(folder),
    );
  }

  get ready(): boolean {
    return this.bucket !== undefined;
  }

  settings(tenant: string): SconeTenant {
    const settings = this.tenants.get(tenant);
    if (settings) return settings;
    throw new SconeError(403, 'SCONE_TENANT_UNKNOWN', ['Not permitted: this tenant has no sessions']);
  }

  /**
   * Creates a session, or replaces the version that its predecessor names.
   * @throws SconeError, SiegelError
   */
  async set(tenant: string, text: string, client: SconeClient): Promise<{ hash: string }> {
    const settings = this.settings(tenant);
    if (client.key === undefined)
      throw new SconeError(401, 'SCONE_CLIENT_UNKNOWN', ['A client certificate is required']);
    const { session, read } = parse(text);
    const { name, predecessor } = session;
    const head = await this.store.head(tenant, name);
    if (head) await this.requireUpdate(head, session, client, settings);
    else await this.requireCreate(tenant, session, client, settings);
    refuseUnserved(session, read);
    if (!this.audit.available) throw new SiegelError('AUDIT_UNAVAILABLE');
    const now = new Date();
    const previous = new Map(Object.entries(head?.record.secrets ?? {}));
    const identity = {
      tenant,
      name,
      version: (head?.record.version ?? 0) + 1,
      creator: head?.record.creator ?? client.key,
      ...(predecessor === undefined ? {} : { predecessor }),
      text,
    };
    const record: SessionRecord = {
      v: 1,
      ...identity,
      hash: sessionHash(identity),
      setAt: now.toISOString(),
      secrets: Object.fromEntries(await makeSecrets(session.secrets, previous, now)),
    };
    await this.audit.record({
      tenant,
      type: 'scone.session',
      outcome: 'ok',
      data: {
        session: name,
        actor: client.actor,
        version: record.version,
        hash: record.hash,
        ...(predecessor === undefined ? {} : { predecessor }),
        services: session.services.map((service) => service.name.slice(0, 128)).slice(0, 256),
      },
    });
    await this.store.put(record, head?.revision ?? 0);
    return { hash: record.hash };
  }

  /** The text of a session, of an older version by its hash. @throws SconeError, SiegelError */
  async text(tenant: string, name: string, hash: string | undefined, client: SconeClient) {
    const settings = this.settings(tenant);
    const head = await this.store.head(tenant, name);
    // Whoever may not read it is told no more than that there is none.
    if (!head || !this.may(head.record, 'read', client, settings)) throw SconeError.notFound(name);
    const record =
      hash === undefined || hash === head.record.hash
        ? head.record
        : await this.store.version(tenant, name, hash);
    if (!record) throw SconeError.notFound(name);
    await this.logRead(record, 'session', [], client);
    return { session: record.text, hash: record.hash };
  }

  /** The values that are public, or one of them. @throws SconeError, SiegelError */
  async values(tenant: string, name: string, secret: string | undefined, client: SconeClient) {
    this.settings(tenant);
    const opened = await this.open(tenant, name);
    if (!opened) throw secret === undefined ? SconeError.notFound(name) : SconeError.notVisible(name, secret);
    const { session, record } = opened;
    const names = session.secrets
      .filter(({ name: one, exportPublic }) => exportPublic && (secret === undefined || one === secret))
      .map(({ name: one }) => one);
    if (secret !== undefined && names.length === 0) throw SconeError.notVisible(name, secret);
    const values = names.flatMap((one): [string, PublicValue][] => {
      const made = Object.hasOwn(record.secrets, one) ? record.secrets[one] : undefined;
      if (!made || made.kind === 'private-key' || made.kind === 'pgp-key') return [];
      const format = made.kind === 'binary' ? 'hex' : '';
      const value = formatSecret(one, made, format, false).toString('utf8');
      return [[one, { kind: 'string', value, expires: null, renew: null }]];
    });
    if (secret !== undefined && values.length === 0) throw SconeError.notVisible(name, secret);
    await this.logRead(
      record,
      'values',
      values.map(([one]) => one),
      client,
    );
    return Object.fromEntries(values);
  }

  /** What is in force, for this service's own use. @throws SiegelError */
  async open(tenant: string, name: string): Promise<OpenSession | undefined> {
    const head = await this.store.head(tenant, name);
    if (!head) return undefined;
    const parsed = parse(head.record.text);
    const record = await this.renewed(head, parsed.session);
    return { ...parsed, record };
  }

  /** Certificates are made anew before they end, by whoever needs them first. */
  private async renewed({ record, revision }: StoredSession, session: scone.SconeSession) {
    const { tenant, name, version, hash } = record;
    const previous = new Map(Object.entries(record.secrets));
    const found = await renewCertificates(session.secrets, previous, new Date());
    if (!found) return record;
    const data = { session: name, actor: 'renewal', version, hash, services: [] };
    const renewed = found.renewed.slice(0, 256);
    await this.audit.record({ tenant, type: 'scone.session', outcome: 'ok', data: { ...data, renewed } });
    const next = { ...record, secrets: Object.fromEntries(found.made) };
    try {
      await this.store.put(next, revision);
      return next;
    } catch (error) {
      if (!(error instanceof SconeError)) throw error;
      // Another replica, or an update, was faster: what stands there now counts.
      return (await this.store.head(tenant, name))?.record ?? record;
    }
  }

  private async requireUpdate(
    { record }: StoredSession,
    { predecessor }: scone.SconeSession,
    client: SconeClient,
    settings: SconeTenant,
  ): Promise<void> {
    if (!this.may(record, 'update', client, settings)) throw SconeError.forbidden(record.name, 'update');
    if (predecessor === undefined) throw SconeError.exists(record.name);
    if (predecessor !== record.hash) throw SconeError.conflict(record.name);
  }

  private async requireCreate(
    tenant: string,
    { name, predecessor, namespaceHash }: scone.SconeSession,
    client: SconeClient,
    { creators, ...settings }: SconeTenant,
  ): Promise<void> {
    const parentName = name.includes('/') ? name.slice(0, name.lastIndexOf('/')) : undefined;
    if (parentName === undefined) {
      if (creators !== 'ANY' && !creators.includes(client.key ?? ''))
        throw SconeError.forbidden(name, 'create_sessions');
    } else {
      const parent = await this.store.head(tenant, parentName);
      if (!parent || !this.may(parent.record, 'create_sessions', client, { creators, ...settings }))
        throw SconeError.forbidden(name, 'create_sessions');
      if (namespaceHash !== undefined && namespaceHash !== parent.record.hash)
        throw SconeError.conflict(parentName);
    }
    if (predecessor !== undefined) throw SconeError.conflict(name);
  }

  private may(
    record: SessionRecord,
    right: scone.AccessRight,
    client: SconeClient,
    { keyHashes }: SconeTenant,
  ): boolean {
    const { creator, secrets } = record;
    return permits(parse(record.text).session.access, right, client, { creator, secrets, keyHashes });
  }

  private async logRead(
    { tenant, name, hash }: SessionRecord,
    what: 'session' | 'values',
    secrets: string[],
    { actor }: SconeClient,
  ): Promise<void> {
    const data = { session: name, actor, what, hash, secrets: secrets.slice(0, 256) };
    await this.audit.record({ tenant, type: 'scone.read', outcome: 'ok', data });
  }

  private get store(): SessionBucket {
    if (this.bucket) return this.bucket;
    throw new SiegelError('STORE_UNAVAILABLE', { detail: 'the store of sessions is not open yet' });
  }
}

/** @throws SconeError for a text that is no session in order */
function parse(text: string): { session: scone.SconeSession; read: scone.ReadSession } {
  const read = scone.readSession(text);
  if (!read.ok || read.faults.length > 0) {
    const faults = read.faults.map(({ path, message }) => `${path === '' ? 'session' : path}: ${message}`);
    throw SconeError.invalid(faults, read.ok ? read.session.name : undefined);
  }
  return { session: read.session, read };
}

/** What only the enclave of a CAS can do is refused when it is posted, not found out when a service starts. */
function refuseUnserved(
  { name, secrets, access }: scone.SconeSession,
  { document }: scone.ReadSession,
): void {
  const refuse = (message: string): never => {
    throw SconeError.invalid([message], name);
  };
  if (secrets.length > MAX_SECRETS) refuse(`secrets: more than ${MAX_SECRETS}`);
  if (secrets.filter(({ keyType }) => keyType?.startsWith('RSA')).length > MAX_RSA_KEYS)
    refuse(`secrets: more than ${MAX_RSA_KEYS} RSA keys`);
  for (const { name: secret, import: from, exports } of secrets) {
    if (from?.foreign === true || exports.some(({ foreign }) => foreign))
      refuse(`secrets: "${secret}": other CAS cannot be exported to or imported from`);
  }
  if (access.reference) refuse('access_policy: a fragment of another session is not served');
  if (document.node(['secret_config']) !== undefined) refuse('secret_config: is not served');
}
