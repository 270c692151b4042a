import { randomUUID } from 'node:crypto';
import { Backups } from './backups.js';
import {
  completePolicy,
  contentTypeOf,
  exportKey,
  generateKeys,
  isExportable,
  issuerOf,
  makeRequest,
  mergeChain,
  readImport,
  secretValueOf,
  selfSign,
  thumbprintOf,
  validityOf,
  type IssuedCertificate,
} from './certificate-issuance.js';
import type { FakeClock } from './fake-clock.js';
import type { KeysApi } from './keys-api.js';
import type { KeyData } from './key-material.js';
import { readAttributes, readTags, wireAttributes, type Attributes, type Tags } from './object-attributes.js';
import { ObjectStore, pageOf, type DeletedObject, type StoredObject, type Version } from './object-store.js';
import type { SecretData, SecretsApi } from './secrets-api.js';
import {
  badParameter,
  KeyVaultError,
  newVersion,
  objectOf,
  ok,
  optionalString,
  route,
  stringOf,
  type JsonObject,
  type Route,
  type VaultRequest,
} from './wire.js';

const TAG_CHARS = 256;

interface CertificateData {
  readonly issued: IssuedCertificate;
  policy: JsonObject;
}

interface PendingCertificate {
  readonly requestId: string;
  readonly csr: string;
  readonly policy: JsonObject;
  readonly privateKey: Buffer;
  readonly attributes: unknown;
  readonly tags: Tags | undefined;
  status: 'inProgress' | 'completed' | 'cancelled';
}

interface CertificateBackup {
  readonly certificate: StoredObject<CertificateData>;
  readonly secret: StoredObject<SecretData>;
  readonly key: StoredObject<KeyData>;
}

/** `/certificates` and `/deletedcertificates` of one vault. A certificate is also a secret and a key, of the same versions. */
export class CertificatesApi {
  private readonly store: ObjectStore<CertificateData>;
  private readonly pending = new Map<string, PendingCertificate>();
  private readonly backups = new Backups('certificate');

  constructor(
    private readonly clock: FakeClock,
    recoverableDays: number,
    private readonly secrets: SecretsApi,
    private readonly keys: KeysApi,
  ) {
    this.store = new ObjectStore({ title: 'Certificate', plural: 'certificates' }, clock, recoverableDays);
  }

  routes(): Route[] {
    const { store } = this;
    const named = ({ params }: VaultRequest): string => params['name'] ?? '';
    return [
      route('POST', '/certificates/{name}/create', 'certificates/create', (request) => this.create(request)),
      route('POST', '/certificates/{name}/import', 'certificates/import', (request) =>
        ok(this.import(request)),
      ),
      route('GET', '/certificates/{name}/pending', 'certificates/get', (request) =>
        ok(this.operation(request.origin, named(request))),
      ),
      route('PATCH', '/certificates/{name}/pending', 'certificates/update', (request) => {
        const pending = this.pendingOf(named(request));
        if (request.body['cancellation_requested'] === true && pending.status === 'inProgress')
          pending.status = 'cancelled';
        return ok(this.operation(request.origin, named(request)));
      }),
      route('DELETE', '/certificates/{name}/pending', 'certificates/update', (request) => {
        const operation = this.operation(request.origin, named(request));
        this.pending.delete(named(request).toLowerCase());
        return ok(operation);
      }),
      route('POST', '/certificates/{name}/pending/merge', 'certificates/create', (request) =>
        this.merge(request),
      ),
      route('GET', '/certificates/{name}/policy', 'certificates/get', ({ params, origin }) => {
        const { name, version } = store.version(params['name'] ?? '');
        return ok({ id: `${origin}/certificates/${name}/policy`, ...version.data.policy });
      }),
      route('PATCH', '/certificates/{name}/policy', 'certificates/update', ({ params, origin, body }) => {
        const { name, version } = store.version(params['name'] ?? '');
        version.data.policy = completePolicy({ ...version.data.policy, ...body });
        return ok({ id: `${origin}/certificates/${name}/policy`, ...version.data.policy });
      }),
      route('GET', '/certificates/{name}/versions', 'certificates/list', ({ query, origin, params }) => {
        const { name, versions } = store.object(params['name'] ?? '');
        return ok(
          pageOf(versions, query, `${origin}/certificates/${name}/versions`, (version) =>
            this.item(origin, name, version, true),
          ),
        );
      }),
      route('GET', '/certificates/{name}(?:/{version})?', 'certificates/get', ({ params, origin }) => {
        const { name, version } = store.version(params['name'] ?? '', params['version']);
        return ok(this.bundle(origin, name, version));
      }),
      route('PATCH', '/certificates/{name}(?:/{version})?', 'certificates/update', (request) =>
        ok(this.update(request)),
      ),
      route('GET', '/certificates', 'certificates/list', ({ query, origin }) =>
        ok(
          pageOf(store.all(), query, `${origin}/certificates`, ({ name, versions }) =>
            this.item(origin, name, versions.at(-1), false),
          ),
        ),
      ),
      route('DELETE', '/certificates/{name}', 'certificates/delete', (request) => {
        const deleted = store.delete(named(request));
        this.secrets.store.delete(named(request));
        this.keys.store.delete(named(request));
        return ok(this.deletedBundle(request.origin, deleted));
      }),
      route('POST', '/certificates/{name}/backup', 'certificates/backup', (request) =>
        ok({ value: this.backup(named(request)) }),
      ),
      route('POST', '/certificates/restore', 'certificates/restore', ({ body, origin }) =>
        ok(this.restore(origin, body)),
      ),
      route('GET', '/deletedcertificates', 'certificates/list', ({ query, origin }) =>
        ok(
          pageOf(store.allDeleted(), query, `${origin}/deletedcertificates`, (object) =>
            this.deletedBundle(origin, object),
          ),
        ),
      ),
      route('GET', '/deletedcertificates/{name}', 'certificates/get', (request) =>
        ok(this.deletedBundle(request.origin, store.deletedObject(named(request)))),
      ),
      route('POST', '/deletedcertificates/{name}/recover', 'certificates/recover', (request) => {
        const { name, versions } = store.recover(named(request));
        this.secrets.store.recover(name);
        this.keys.store.recover(name);
        return ok(this.bundle(request.origin, name, versions.at(-1)));
      }),
      route('DELETE', '/deletedcertificates/{name}', 'certificates/purge', (request) => {
        for (const each of [store, this.secrets.store, this.keys.store]) each.purge(named(request));
        return { status: 204 };
      }),
    ];
  }

  private async create({
    params,
    body,
    origin,
  }: VaultRequest): Promise<{ status: number; body: JsonObject }> {
    const name = params['name'] ?? '';
    this.store.requireFree(name);
    const policy = completePolicy(objectOf(body['policy'], 'policy'));
    const keys = await generateKeys(policy);
    const tags = readTags(body['tags'], TAG_CHARS);
    const issuer = issuerOf(policy);
    if (issuer !== 'Self' && issuer !== 'Unknown')
      throw badParameter(`Issuer ${issuer} is not configured in this vault.`);
    const pending: PendingCertificate = {
      requestId: randomUUID().replaceAll('-', ''),
      csr: await makeRequest(policy, keys),
      policy,
      privateKey: await exportKey(keys),
      attributes: body['attributes'],
      tags,
      status: 'inProgress',
    };
    this.pending.set(name.toLowerCase(), pending);
    const answer = { status: 202, body: this.operation(origin, name) };
    if (issuer === 'Self') {
      this.add(
        name,
        await selfSign(policy, keys, new Date(this.clock.now())),
        policy,
        body['attributes'],
        tags,
        origin,
      );
      pending.status = 'completed';
    }
    return answer;
  }

  private import({ params, body, origin }: VaultRequest): JsonObject {
    const name = params['name'] ?? '';
    this.store.requireFree(name);
    const sent =
      body['policy'] === undefined || body['policy'] === null ? {} : objectOf(body['policy'], 'policy');
    const value = stringOf(body['value'], 'value');
    const secretProps = sent['secret_props'] as JsonObject | undefined;
    const contentType = optionalString(secretProps?.['contentType'], 'policy.secret_props.contentType');
    const policy = completePolicy({ issuer: { name: 'Unknown' }, ...sent });
    const issued = readImport(value, contentType);
    return this.add(name, issued, policy, body['attributes'], readTags(body['tags'], TAG_CHARS), origin);
  }

  private merge({ params, body, origin }: VaultRequest): { status: number; body: JsonObject } {
    const name = params['name'] ?? '';
    const pending = this.pendingOf(name);
    if (pending.status !== 'inProgress') throw badParameter('The pending certificate is not in progress.');
    const issued = mergeChain(body['x5c'], pending.privateKey);
    const bundle = this.add(name, issued, pending.policy, pending.attributes, pending.tags, origin);
    pending.status = 'completed';
    return { status: 201, body: bundle };
  }

  private add(
    name: string,
    issued: IssuedCertificate,
    policy: JsonObject,
    sentAttributes: unknown,
    tags: Tags | undefined,
    origin: string,
  ): JsonObject {
    const version = newVersion();
    const attributes: Attributes = {
      ...readAttributes(sentAttributes, this.clock.seconds()),
      ...validityOf(issued.der),
    };
    const kind = (policy['key_props'] as JsonObject)['kty'];
    this.keys.store.add(
      name,
      attributes,
      tags,
      keyDataOf(issued, String(kind), isExportable(policy)),
      version,
    );
    const spelling = this.keys.store.object(name).name;
    const secret: SecretData = {
      value: secretValueOf(issued, policy),
      contentType: isExportable(policy) ? contentTypeOf(policy) : 'application/x-pem-file',
      keyId: `${origin}/keys/${spelling}/${version}`,
      managed: true,
    };
    this.secrets.store.add(name, attributes, tags, secret, version);
    return this.bundle(origin, spelling, this.store.add(name, attributes, tags, { issued, policy }, version));
  }

  private update({ params, body, origin }: VaultRequest): JsonObject {
    const { name, version } = this.store.version(params['name'] ?? '', params['version']);
    const attributes = readAttributes(body['attributes'], this.clock.seconds(), version.attributes);
    version.attributes = attributes;
    version.tags = readTags(body['tags'], TAG_CHARS) ?? version.tags;
    this.secrets.store.version(name, version.version).version.attributes = attributes;
    this.keys.store.version(name, version.version).version.attributes = attributes;
    return this.bundle(origin, name, version);
  }

  private backup(name: string): string {
    const backup: CertificateBackup = {
      certificate: this.store.object(name),
      secret: this.secrets.store.object(name),
      key: this.keys.store.object(name),
    };
    return this.backups.write({
      name,
      versions: [{ version: '', attributes: {} as Attributes, data: backup }],
    });
  }

  private restore(origin: string, body: JsonObject): JsonObject {
    const backup = this.backups.read<CertificateBackup>(body['value']).versions[0]?.data;
    if (backup === undefined) throw badParameter('Backup blob is empty.');
    this.store.restore(backup.certificate);
    this.secrets.store.restore(backup.secret);
    this.keys.store.restore(backup.key);
    const { name, version } = this.store.version(backup.certificate.name);
    return this.bundle(origin, name, version);
  }

  private pendingOf(name: string): PendingCertificate {
    const pending = this.pending.get(name.toLowerCase());
    if (pending !== undefined) return pending;
    throw new KeyVaultError(404, 'PendingCertificateNotFound', `Pending certificate not found: ${name}`);
  }

  private operation(origin: string, name: string): JsonObject {
    const pending = this.pendingOf(name);
    return {
      id: `${origin}/certificates/${name}/pending`,
      issuer: pending.policy['issuer'],
      csr: pending.csr,
      cancellation_requested: pending.status === 'cancelled',
      status: pending.status,
      status_details:
        pending.status === 'inProgress'
          ? 'Pending certificate created. Certificate request is in progress.'
          : '',
      request_id: pending.requestId,
      ...(pending.status === 'completed' ? { target: `${origin}/certificates/${name}` } : {}),
    };
  }

  private bundle(origin: string, name: string, version: Version<CertificateData> | undefined): JsonObject {
    if (version === undefined) return {};
    const { issued, policy } = version.data;
    return {
      ...this.item(origin, name, version, true),
      kid: `${origin}/keys/${name}/${version.version}`,
      sid: `${origin}/secrets/${name}/${version.version}`,
      cer: issued.der.toString('base64'),
      policy: { id: `${origin}/certificates/${name}/policy`, ...policy },
    };
  }

  private item(
    origin: string,
    name: string,
    version: Version<CertificateData> | undefined,
    withVersion: boolean,
  ): JsonObject {
    if (version === undefined) return {};
    return {
      id: `${origin}/certificates/${name}${withVersion ? `/${version.version}` : ''}`,
      x5t: thumbprintOf(version.data.issued.der),
      attributes: wireAttributes(version.attributes, this.store.recoverableDays),
      ...(version.tags === undefined ? {} : { tags: version.tags }),
    };
  }

  private deletedBundle(origin: string, object: DeletedObject<CertificateData>): JsonObject {
    return {
      recoveryId: `${origin}/deletedcertificates/${object.name}`,
      deletedDate: object.deletedDate,
      scheduledPurgeDate: object.scheduledPurgeDate,
      ...this.bundle(origin, object.name, object.versions.at(-1)),
    };
  }
}

const keyDataOf = (issued: IssuedCertificate, kind: string, exportable: boolean): KeyData => ({
  kty: kind.startsWith('EC') ? 'EC' : 'RSA',
  hsm: kind.endsWith('-HSM'),
  material: issued.privateKey,
  exportable,
  managed: true,
  operations: [
    'sign',
    'verify',
    ...(kind.startsWith('EC') ? [] : ['encrypt', 'decrypt', 'wrapKey', 'unwrapKey']),
  ],
});
