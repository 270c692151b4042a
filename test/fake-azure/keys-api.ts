import { randomBytes } from 'node:crypto';
import { Backups } from './backups.js';
import type { FakeClock } from './fake-clock.js';
import {
  createKeyData,
  importKeyData,
  keyLimit,
  readOperations,
  readReleasePolicy,
  wireKey,
  type KeyData,
} from './key-material.js';
import { KEY_OPERATIONS, runKeyOperation, windowForbids, type KeyOperation } from './key-operations.js';
import type { KeyReleaser } from './key-release.js';
import { readAttributes, readTags, wireAttributes } from './object-attributes.js';
import { ObjectStore, pageOf, type DeletedObject, type Version } from './object-store.js';
import type { LimitClass } from './service-limits.js';
import {
  badParameter,
  KeyVaultError,
  ok,
  route,
  type JsonObject,
  type Route,
  type VaultRequest,
} from './wire.js';

const TAG_CHARS = 256;
const MAX_RANDOM_BYTES = 128;
const DEFAULT_ROTATION = {
  lifetimeActions: [{ trigger: { timeBeforeExpiry: 'P30D' }, action: { type: 'Notify' } }],
  attributes: {},
};

/** `/keys`, `/deletedkeys` and `/rng` of one vault. */
export class KeysApi {
  readonly store: ObjectStore<KeyData>;
  private readonly backups = new Backups('key');
  private readonly rotation = new Map<string, JsonObject>();

  constructor(
    private readonly clock: FakeClock,
    recoverableDays: number,
    private readonly releaser: KeyReleaser,
    private readonly limit: (limit: LimitClass) => void,
  ) {
    this.store = new ObjectStore({ title: 'Key', plural: 'keys' }, clock, recoverableDays);
  }

  routes(): Route[] {
    const { store } = this;
    const operations = (Object.keys(KEY_OPERATIONS) as KeyOperation[]).map((operation) =>
      route('POST', `/keys/{name}/{version}/${operation}`, `keys/${operation}`, (request) =>
        ok(this.operate(operation, request)),
      ),
    );
    return [
      route('POST', '/keys/{name}/create', 'keys/create', (request) => ok(this.create(request))),
      route('PUT', '/keys/{name}', 'keys/import', (request) => ok(this.import(request))),
      route('GET', '/keys/{name}(?:/{version})?', 'keys/get', ({ params, origin }) => {
        const { name, version } = store.version(params['name'] ?? '', params['version']);
        return ok(this.bundle(origin, name, version));
      }),
      route('PATCH', '/keys/{name}(?:/{version})?', 'keys/update', (request) => ok(this.update(request))),
      route('DELETE', '/keys/{name}', 'keys/delete', ({ params, origin }) =>
        ok(this.deletedBundle(origin, store.delete(params['name'] ?? ''))),
      ),
      route('GET', '/keys', 'keys/list', ({ query, origin }) =>
        ok(
          pageOf(store.all(), query, `${origin}/keys`, ({ name, versions }) =>
            this.item(`${origin}/keys/${name}`, versions.at(-1)),
          ),
        ),
      ),
      route('GET', '/keys/{name}/versions', 'keys/list', ({ query, origin, params }) => {
        const { name, versions } = store.object(params['name'] ?? '');
        const link = `${origin}/keys/${name}`;
        return ok(
          pageOf(versions, query, `${link}/versions`, (version) =>
            this.item(`${link}/${version.version}`, version),
          ),
        );
      }),
      route('POST', '/keys/{name}/backup', 'keys/backup', ({ params }) =>
        ok({ value: this.backups.write(store.object(params['name'] ?? '')) }),
      ),
      route('POST', '/keys/restore', 'keys/restore', ({ body, origin }) => {
        const object = this.backups.read<KeyData>(body['value']);
        store.restore(object);
        const { name, version } = store.version(object.name);
        return ok(this.bundle(origin, name, version));
      }),
      route('POST', '/keys/{name}/rotate', 'keys/rotate', (request) => ok(this.rotate(request))),
      route('GET', '/keys/{name}/rotationpolicy', 'keys/getrotationpolicy', ({ params, origin }) => {
        const { name } = store.object(params['name'] ?? '');
        return ok({
          id: `${origin}/keys/${name}/rotationpolicy`,
          ...(this.rotation.get(name) ?? DEFAULT_ROTATION),
        });
      }),
      route('PUT', '/keys/{name}/rotationpolicy', 'keys/setrotationpolicy', ({ params, origin, body }) => {
        const { name } = store.object(params['name'] ?? '');
        const now = this.clock.seconds();
        this.rotation.set(name, {
          ...body,
          attributes: { ...(body['attributes'] as JsonObject), created: now, updated: now },
        });
        return ok({ id: `${origin}/keys/${name}/rotationpolicy`, ...this.rotation.get(name) });
      }),
      route('POST', '/keys/{name}(?:/{version})?/release', 'keys/release', (request) =>
        this.release(request),
      ),
      ...operations,
      route('POST', '/rng', 'rng', ({ body }) => {
        const count = body['count'];
        if (typeof count !== 'number' || !Number.isInteger(count) || count < 1 || count > MAX_RANDOM_BYTES) {
          throw badParameter(`Property count must lie between 1 and ${MAX_RANDOM_BYTES}.`);
        }
        return ok({ value: randomBytes(count).toString('base64url') });
      }),
      route('GET', '/deletedkeys', 'keys/list', ({ query, origin }) =>
        ok(
          pageOf(store.allDeleted(), query, `${origin}/deletedkeys`, (object) =>
            this.deletedBundle(origin, object),
          ),
        ),
      ),
      route('GET', '/deletedkeys/{name}', 'keys/get', ({ params, origin }) =>
        ok(this.deletedBundle(origin, store.deletedObject(params['name'] ?? ''))),
      ),
      route('POST', '/deletedkeys/{name}/recover', 'keys/recover', ({ params, origin }) => {
        const { name, versions } = store.recover(params['name'] ?? '');
        return ok(this.bundle(origin, name, versions.at(-1)));
      }),
      route('DELETE', '/deletedkeys/{name}', 'keys/purge', ({ params }) => {
        store.purge(params['name'] ?? '');
        return { status: 204 };
      }),
    ];
  }

  private create({ params, body, origin }: VaultRequest): JsonObject {
    this.store.requireFree(params['name'] ?? '');
    const hsm = String(body['kty']).endsWith('-HSM');
    this.limit({ bucket: hsm ? 'hsm-create-release' : 'software-create', weight: 1 });
    return this.add(origin, params['name'] ?? '', body, createKeyData(body));
  }

  private import({ params, body, origin }: VaultRequest): JsonObject {
    return this.add(origin, params['name'] ?? '', body, importKeyData(body));
  }

  private add(origin: string, name: string, body: JsonObject, data: KeyData): JsonObject {
    const attributes = readAttributes(body['attributes'], this.clock.seconds());
    const version = this.store.add(name, attributes, readTags(body['tags'], TAG_CHARS), data);
    return this.bundle(origin, this.store.object(name).name, version);
  }

  private rotate({ params, origin }: VaultRequest): JsonObject {
    const { name, version } = this.store.version(params['name'] ?? '');
    const { data, tags } = version;
    this.limit({ bucket: data.hsm ? 'hsm-create-release' : 'software-create', weight: 1 });
    const current = wireKey(data, '');
    const size = data.kty === 'oct' ? data.material.length * 8 : undefined;
    const rsaSize =
      data.kty === 'RSA' ? Buffer.from(String(current['n']), 'base64url').length * 8 : undefined;
    const fresh = createKeyData({
      kty: current['kty'],
      crv: current['crv'],
      key_size: size ?? rsaSize,
      key_ops: data.operations,
      release_policy: data.releasePolicy,
      attributes: { exportable: data.exportable },
    });
    const added = this.store.add(name, readAttributes(undefined, this.clock.seconds()), tags, fresh);
    return this.bundle(origin, name, added);
  }

  private update({ params, body, origin }: VaultRequest): JsonObject {
    const { name, version } = this.store.version(params['name'] ?? '', params['version']);
    const policy = readReleasePolicy(body['release_policy']);
    const { data } = version;
    if (policy !== undefined) {
      if (!data.exportable)
        throw badParameter('A release policy needs a key that was created with exportable=true.');
      if (data.releasePolicy?.immutable === true) {
        throw badParameter('The release policy is immutable and cannot be modified.');
      }
      data.releasePolicy = policy;
    }
    version.attributes = readAttributes(body['attributes'], this.clock.seconds(), version.attributes);
    version.tags = readTags(body['tags'], TAG_CHARS) ?? version.tags;
    data.operations = readOperations(body['key_ops']) ?? data.operations;
    return this.bundle(origin, name, version);
  }

  private operate(operation: KeyOperation, { params, body, origin }: VaultRequest): JsonObject {
    const { name, version } = this.store.version(params['name'] ?? '', params['version']);
    this.limit(keyLimit(version.data));
    this.store.requireEnabled(version, operation);
    const { nbf = 0, exp = Infinity } = version.attributes;
    const now = this.clock.seconds();
    if ((now < nbf || now >= exp) && windowForbids(operation)) {
      const message = `Operation ${operation} is not allowed on an expired or not yet valid key.`;
      throw new KeyVaultError(403, 'Forbidden', message, 'KeyOperationForbidden');
    }
    return runKeyOperation(operation, version.data, `${origin}/keys/${name}/${version.version}`, body);
  }

  private async release(request: VaultRequest): Promise<{ status: number; body: JsonObject }> {
    const { params, origin } = request;
    const { name, version } = this.store.version(params['name'] ?? '', params['version']);
    this.limit({ bucket: version.data.hsm ? 'hsm-create-release' : 'software-create', weight: 1 });
    this.store.requireEnabled(version, 'release');
    const value = await this.releaser.release({
      key: version.data,
      bundle: this.bundle(origin, name, version),
      body: request.body,
      apiVersion: request.query.get('api-version') ?? '',
    });
    return { status: 200, body: { value } };
  }

  private bundle(origin: string, name: string, version: Version<KeyData> | undefined): JsonObject {
    if (version === undefined) return {};
    const { data, tags } = version;
    return {
      key: wireKey(data, `${origin}/keys/${name}/${version.version}`),
      attributes: this.attributes(version),
      ...(data.releasePolicy === undefined ? {} : { release_policy: data.releasePolicy }),
      ...(tags === undefined ? {} : { tags }),
      ...(data.managed === undefined ? {} : { managed: data.managed }),
    };
  }

  private item(kid: string, version: Version<KeyData> | undefined): JsonObject {
    if (version === undefined) return {};
    const tags = version.tags === undefined ? {} : { tags: version.tags };
    return { kid, attributes: this.attributes(version), ...tags };
  }

  private attributes(version: Version<KeyData>): JsonObject {
    const { exportable, hsm } = version.data;
    const wire = wireAttributes(version.attributes, this.store.recoverableDays);
    return { ...wire, exportable, hsmPlatform: hsm ? '2' : '0' };
  }

  private deletedBundle(origin: string, object: DeletedObject<KeyData>): JsonObject {
    return {
      recoveryId: `${origin}/deletedkeys/${object.name}`,
      deletedDate: object.deletedDate,
      scheduledPurgeDate: object.scheduledPurgeDate,
      ...this.bundle(origin, object.name, object.versions.at(-1)),
    };
  }
}
