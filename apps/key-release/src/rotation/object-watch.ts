import type { AuditEmitter } from '#emitter';
import { METRICS } from '#platform';
import { isVaultError, type VaultRegistry } from '#vault';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { Counter, type Registry } from 'prom-client';
import { AUDIT_EMITTER } from '../audit/audit.module.js';
import { ManifestStore } from '../manifests/manifest-store.js';
import { TenantResolver } from '../tenants/tenant-resolver.js';
import { VAULTS } from '../vaults/vaults.token.js';
import { type WatchedObject, watchedObjects } from './watched-objects.js';

/** What a look at an object found: the version that is released, or the code why none is. */
export type ObjectState = { readonly version: string } | { readonly code: string };
export const stateText = (state: ObjectState): string => ('version' in state ? state.version : state.code);

export type NoticedBy = 'poll' | 'hint' | 'administration' | 'manifest';
type Listener = (object: WatchedObject, state: ObjectState) => void;

/** Codes that speak of the object; every other failure is the way to it, and says nothing. */
const OF_THE_OBJECT = /^(SECRET|CERTIFICATE|KEY)_/;

/**
 * Knows the present version of every object that manifests in force grant, by reading it. A change is an event in the log of each
 * tenant concerned, and is told to the listeners (live sessions). What comes in as a hint only makes it look.
 */
@Injectable()
export class ObjectWatch {
  private readonly log = new Logger(ObjectWatch.name);
  private readonly states = new Map<string, ObjectState>();
  /** States whose change this process has logged. */
  private readonly logged = new Map<string, string>();
  private readonly looks = new Map<string, Promise<void>>();
  private readonly listeners: Listener[] = [];
  private readonly changes: Counter;

  constructor(
    @Inject(VAULTS) private readonly vaults: VaultRegistry,
    @Inject(AUDIT_EMITTER) private readonly audit: AuditEmitter,
    private readonly manifests: ManifestStore,
    private readonly tenants: TenantResolver,
    @Inject(METRICS) registry: Registry,
  ) {
    this.changes = new Counter({
      name: 'siegel_rotation_changes_total',
      help: 'Changes of granted vault objects that this replica noticed',
      labelNames: ['change', 'noticed_by'],
      registers: [registry],
    });
  }

  onObserved(listener: Listener): void {
    this.listeners.push(listener);
  }

  /** What the last look found; undefined for what was not looked at yet. */
  stateOf(key: string): ObjectState | undefined {
    return this.states.get(key);
  }

  /** A release held this version before the object was looked at: what the first look finds is compared with it. */
  learn(key: string, version: string): void {
    if (!this.states.has(key)) this.states.set(key, { version });
  }

  /** The objects to be watched now. */
  objects(): Map<string, WatchedObject> {
    const inForce = [...this.tenants.tenants].flatMap((tenant) => {
      const manifest = this.manifests.inForce(tenant);
      return manifest ? [[tenant, manifest] as const] : [];
    });
    const objects = watchedObjects(inForce);
    for (const key of this.states.keys()) {
      if (objects.has(key)) continue;
      this.states.delete(key);
      this.logged.delete(key);
    }
    return objects;
  }

  /** Those of a vault's object: its latest version and pinned ones, as secret and as certificate. */
  objectsNamed(vault: string, objectName: string): WatchedObject[] {
    const folded = objectName.toLowerCase();
    return [...this.objects().values()].filter(
      (object) => object.vault === vault && object.objectName.toLowerCase() === folded,
    );
  }

  /** What this process has logged of these objects' present states, by object type and pinned version. */
  loggedStates(objects: readonly WatchedObject[]): Record<string, string> {
    const entries = objects.flatMap((object) => {
      const state = this.logged.get(object.key);
      return state === undefined ? [] : [[aspectOf(object), state] as const];
    });
    return Object.fromEntries(entries);
  }

  /**
   * Reads the object and deals with what changed. Looks at one object follow each other, so that none of them compares with a state
   * that another is about to replace. Never throws.
   * @param alreadyLogged what another replica says it has logged
   */
  look(
    object: WatchedObject,
    noticedBy: NoticedBy,
    alreadyLogged: Record<string, string> = {},
  ): Promise<void> {
    const before = this.looks.get(object.key) ?? Promise.resolve();
    const look = before.then(() => this.examine(object, noticedBy, alreadyLogged[aspectOf(object)]));
    this.looks.set(object.key, look);
    return look.finally(() => {
      if (this.looks.get(object.key) === look) this.looks.delete(object.key);
    });
  }

  /** What a listener does wrong must not end the looks that follow. */
  private async examine(
    object: WatchedObject,
    noticedBy: NoticedBy,
    elsewhere: string | undefined,
  ): Promise<void> {
    try {
      await this.read(object, noticedBy, elsewhere);
    } catch (error) {
      this.log.error({ msg: 'a look at a granted object failed', err: error });
    }
  }

  private async read(
    object: WatchedObject,
    noticedBy: NoticedBy,
    elsewhere: string | undefined,
  ): Promise<void> {
    let state: ObjectState;
    let requestId: string | undefined;
    try {
      ({ state, requestId } = await this.present(object));
    } catch (error) {
      const code = isVaultError(error) ? error.code : 'INTERNAL';
      this.log.warn({
        msg: 'no look at a granted object',
        vault: object.vault,
        objectName: object.objectName,
        code,
      });
      return;
    }
    const before = this.states.get(object.key);
    this.states.set(object.key, state);
    const text = stateText(state);
    if (before !== undefined && stateText(before) !== text) {
      this.log.log({
        msg: 'a granted object changed',
        vault: object.vault,
        objectName: object.objectName,
        state: text,
      });
      this.changes.inc({ change: 'version' in state ? 'rotated' : 'withdrawn', noticed_by: noticedBy });
      if (elsewhere !== text) {
        this.logged.set(object.key, text);
        await this.record(object, noticedBy, before, state, requestId);
      }
    }
    for (const listener of this.listeners) listener(object, state);
  }

  private async present(
    object: WatchedObject,
  ): Promise<{ state: ObjectState; requestId?: string | undefined }> {
    const { vault, objectName, objectType, objectVersion } = object;
    const ref = { objectName, ...(objectVersion === undefined ? {} : { objectVersion }) };
    // Expiry is judged at each release, by what its grant allows; here it is no change.
    const options = { refresh: true, allowExpired: true };
    try {
      const source = this.vaults.get(vault);
      if (objectType === 'cert') {
        const { version, requestId, privateKeyPem } = await source.getCertificate(ref, options);
        privateKeyPem.fill(0);
        return { state: { version }, requestId };
      }
      const { version, requestId, value } = await source.getSecret(ref, options);
      value.fill(0);
      return { state: { version }, requestId };
    } catch (error) {
      if (!isVaultError(error) || !OF_THE_OBJECT.test(error.code)) throw error;
      return { state: { code: error.code }, requestId: error.details.requestId };
    }
  }

  private async record(
    object: WatchedObject,
    noticedBy: NoticedBy,
    before: ObjectState,
    state: ObjectState,
    requestId: string | undefined,
  ): Promise<void> {
    const { vault, objectName, objectType, objectVersion } = object;
    const data = {
      vault,
      objectName,
      objectType,
      ...(objectVersion === undefined ? {} : { pinned: objectVersion }),
      noticedBy,
      ...('version' in before ? { previousVersion: before.version } : {}),
    };
    for (const tenant of object.tenants) {
      const recording =
        'version' in state
          ? this.audit.record({
              tenant,
              type: 'secret.rotated',
              outcome: 'ok',
              data: { ...data, version: state.version, ...(requestId === undefined ? {} : { requestId }) },
            })
          : this.audit.record({
              tenant,
              type: 'secret.withdrawn',
              outcome: 'alert',
              reason: { code: state.code, message: `${vault}/${objectName} can no longer be released` },
              data,
            });
      // The emitter keeps an event that the log did not take yet and sends it again; releases wait for the log anyway.
      await recording.catch((error: unknown) => this.log.error(`${objectName}: ${(error as Error).message}`));
    }
  }
}

const aspectOf = ({ objectType, objectVersion }: WatchedObject): string =>
  `${objectType}:${objectVersion ?? ''}`;
