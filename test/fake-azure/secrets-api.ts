import { readPkcs12 } from '#vault';
import { Backups } from './backups.js';
import type { FakeClock } from './fake-clock.js';
import { readAttributes, readTags, wireAttributes } from './object-attributes.js';
import { ObjectStore, pageOf, type DeletedObject, type Version } from './object-store.js';
import {
  badParameter,
  ok,
  optionalString,
  route,
  stringOf,
  type JsonObject,
  type Route,
  type VaultRequest,
} from './wire.js';

const MAX_VALUE_BYTES = 25_600;
const MAX_CONTENT_TYPE = 255;
const TAG_CHARS = 512;

export interface SecretData {
  readonly value: string;
  contentType?: string | undefined;
  /** The key of a certificate whose secret this is. */
  readonly keyId?: string;
  readonly managed?: boolean;
}

/** `/secrets` and `/deletedsecrets` of one vault. */
export class SecretsApi {
  readonly store: ObjectStore<SecretData>;
  private readonly backups = new Backups('secret');

  constructor(
    private readonly clock: FakeClock,
    recoverableDays: number,
  ) {
    this.store = new ObjectStore({ title: 'Secret', plural: 'secrets' }, clock, recoverableDays);
  }

  routes(): Route[] {
    const { store } = this;
    return [
      route('PUT', '/secrets/{name}', 'secrets/set', (request) => ok(this.set(request))),
      route('GET', '/secrets/{name}(?:/{version})?', 'secrets/get', (request) => ok(this.get(request))),
      route('PATCH', '/secrets/{name}/{version}', 'secrets/set', (request) => ok(this.update(request))),
      route('DELETE', '/secrets/{name}', 'secrets/delete', ({ params, origin }) =>
        ok(this.deletedBundle(origin, store.delete(params['name'] ?? ''))),
      ),
      route('GET', '/secrets', 'secrets/list', ({ query, origin }) =>
        ok(
          pageOf(store.all(), query, `${origin}/secrets`, ({ name, versions }) =>
            this.item(origin, name, versions.at(-1)),
          ),
        ),
      ),
      route('GET', '/secrets/{name}/versions', 'secrets/list', ({ query, origin, params }) => {
        const { name, versions } = store.object(params['name'] ?? '');
        const link = `${origin}/secrets/${name}/versions`;
        return ok(pageOf(versions, query, link, (version) => this.item(origin, name, version, true)));
      }),
      route('POST', '/secrets/{name}/backup', 'secrets/backup', ({ params }) =>
        ok({ value: this.backups.write(store.object(params['name'] ?? '')) }),
      ),
      route('POST', '/secrets/restore', 'secrets/restore', ({ body, origin }) => {
        const object = this.backups.read<SecretData>(body['value']);
        store.restore(object);
        const { name, version } = store.version(object.name);
        return ok(this.item(origin, name, version, true));
      }),
      route('GET', '/deletedsecrets', 'secrets/list', ({ query, origin }) =>
        ok(
          pageOf(store.allDeleted(), query, `${origin}/deletedsecrets`, (object) => {
            const { value: _, ...item } = this.deletedBundle(origin, object);
            return item;
          }),
        ),
      ),
      route('GET', '/deletedsecrets/{name}', 'secrets/get', ({ params, origin }) =>
        ok(this.deletedBundle(origin, store.deletedObject(params['name'] ?? ''))),
      ),
      route('POST', '/deletedsecrets/{name}/recover', 'secrets/recover', ({ params, origin }) => {
        const { name, versions } = store.recover(params['name'] ?? '');
        return ok(this.item(origin, name, versions.at(-1), true));
      }),
      route('DELETE', '/deletedsecrets/{name}', 'secrets/purge', ({ params }) => {
        store.purge(params['name'] ?? '');
        return { status: 204 };
      }),
    ];
  }

  /** Puts a secret in without a request, for a fake that starts with content. */
  seed(name: string, value: string, contentType?: string): void {
    this.store.add(name, readAttributes(undefined, this.clock.seconds()), undefined, { value, contentType });
  }

  private set({ params, body, origin }: VaultRequest): JsonObject {
    const value = stringOf(body['value'], 'value');
    if (Buffer.byteLength(value) > MAX_VALUE_BYTES) {
      throw badParameter(`The secret value exceeds the maximum size of ${MAX_VALUE_BYTES} bytes.`);
    }
    const contentType = contentTypeOf(body);
    const attributes = readAttributes(body['attributes'], this.clock.seconds());
    const name = params['name'] ?? '';
    const version = this.store.add(name, attributes, readTags(body['tags'], TAG_CHARS), {
      value,
      contentType,
    });
    return this.bundle(origin, this.store.object(name).name, version);
  }

  private get({ params, origin, query }: VaultRequest): JsonObject {
    const { name, version } = this.store.version(params['name'] ?? '', params['version']);
    this.store.requireEnabled(version, 'get');
    // Nothing here looks at nbf and exp: Key Vault serves secrets outside their window too.
    const bundle = this.bundle(origin, name, version);
    const wanted = query.get('outContentType');
    if (wanted === null) return bundle;
    if (wanted !== 'application/x-pem-file' && wanted !== 'application/x-pkcs12') {
      throw badParameter('Invalid value for outContentType.');
    }
    if (wanted === 'application/x-pem-file' && version.data.contentType === 'application/x-pkcs12') {
      return { ...bundle, contentType: wanted, value: pemOf(version.data.value) };
    }
    return bundle;
  }

  private update({ params, body, origin }: VaultRequest): JsonObject {
    const { name, version } = this.store.version(params['name'] ?? '', params['version']);
    version.attributes = readAttributes(body['attributes'], this.clock.seconds(), version.attributes);
    version.tags = readTags(body['tags'], TAG_CHARS) ?? version.tags;
    version.data.contentType = contentTypeOf(body) ?? version.data.contentType;
    const { value: _, ...rest } = this.bundle(origin, name, version);
    return rest;
  }

  private bundle(origin: string, name: string, version: Version<SecretData>): JsonObject {
    return { value: version.data.value, ...this.item(origin, name, version, true) };
  }

  private item(
    origin: string,
    name: string,
    version: Version<SecretData> | undefined,
    withVersion = false,
  ): JsonObject {
    if (version === undefined) return {};
    const { contentType, keyId, managed } = version.data;
    return {
      id: withVersion ? `${origin}/secrets/${name}/${version.version}` : `${origin}/secrets/${name}`,
      attributes: wireAttributes(version.attributes, this.store.recoverableDays),
      ...(contentType === undefined ? {} : { contentType }),
      ...(version.tags === undefined ? {} : { tags: version.tags }),
      ...(keyId === undefined ? {} : { kid: keyId }),
      ...(managed === undefined ? {} : { managed }),
    };
  }

  private deletedBundle(origin: string, object: DeletedObject<SecretData>): JsonObject {
    return {
      recoveryId: `${origin}/deletedsecrets/${object.name}`,
      deletedDate: object.deletedDate,
      scheduledPurgeDate: object.scheduledPurgeDate,
      ...this.item(origin, object.name, object.versions.at(-1), true),
    };
  }
}

function contentTypeOf(body: JsonObject): string | undefined {
  const contentType = optionalString(body['contentType'], 'contentType');
  if (contentType !== undefined && contentType.length > MAX_CONTENT_TYPE) {
    throw badParameter(`The content type exceeds the maximum of ${MAX_CONTENT_TYPE} characters.`);
  }
  return contentType;
}

/** The service's own conversion of a certificate secret: key first, then the chain. */
function pemOf(pfx: string): string {
  const { privateKeys, certificates } = readPkcs12(Buffer.from(pfx, 'base64'), '');
  const block = (label: string, der: Buffer): string =>
    `-----BEGIN ${label}-----\n${der.toString('base64').replace(/.{64}(?=.)/g, '$&\n')}\n-----END ${label}-----\n`;
  return [
    ...privateKeys.map((der) => block('PRIVATE KEY', der)),
    ...certificates.map((der) => block('CERTIFICATE', der)),
  ].join('');
}
