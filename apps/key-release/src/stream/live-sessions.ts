import { asSiegelError, type ErrorCode, SiegelError } from '#contracts';
import { METRICS } from '#platform';
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { Counter, Gauge, type Registry } from 'prom-client';
import { SessionStandings } from '../appraisal/session-standing.js';
import { NATIVE_PROTOCOL, sealedResponse } from '../attest/attest.controller.js';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../environment.js';
import { ManifestStore } from '../manifests/manifest-store.js';
import { Denial } from '../pipeline/denial.js';
import { ReleasePipeline } from '../pipeline/release-pipeline.js';
import { decideAgain, type SessionDecision } from '../pipeline/session-decision.js';
import { ObjectWatch, stateText } from '../rotation/object-watch.js';
import { objectKey } from '../rotation/watched-objects.js';
import { type SessionClaims, SessionTokens } from '../session/session-token.js';
import type { LiveSession } from './live-session.js';
import { releaseRevision, versionsByObject } from './release-revision.js';

const SWEEP_MS = 250;
const STREAMS_PER_SESSION = 2;
/** Releases under way at once for all streams: a rotation must not starve those who come new. */
const AT_ONCE = 32;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 30_000;
/** Refusals of objects; the session goes on without its release. */
const WITHHELD: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['SECRET_NOT_FOUND', 'SECRET_UNUSABLE']);

/** The live streams of this replica: who needs a fresh release, and whose session is over. */
@Injectable()
export class LiveSessions implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly log = new Logger('streams');
  private readonly streams = new Set<LiveSession>();
  /** By the session's id, which is a UUID; the oldest first. */
  private readonly bySession = new Map<string, LiveSession[]>();
  /** Those for which a release is to be made, in the order in which they came to wait. */
  private readonly due = new Set<LiveSession>();
  private readonly sent: Counter;
  private underWay = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly pipeline: ReleasePipeline,
    private readonly tokens: SessionTokens,
    private readonly watch: ObjectWatch,
    private readonly manifests: ManifestStore,
    private readonly standings: SessionStandings,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
    @Inject(METRICS) registry: Registry,
  ) {
    const { streams } = this;
    this.sent = new Counter({
      name: 'siegel_session_stream_events_total',
      help: 'Events on session streams',
      labelNames: ['event'],
      registers: [registry],
    });
    new Gauge({
      name: 'siegel_session_streams',
      help: 'Live session streams of this replica',
      registers: [registry],
      collect() {
        this.set(streams.size);
      },
    });
  }

  onApplicationBootstrap(): void {
    this.watch.onObserved(({ key }, state) => {
      for (const stream of this.streams) {
        if (stream.busy) stream.seenMeanwhile.set(key, stateText(state));
        else if (differs(stream, key, stateText(state))) this.due.add(stream);
      }
      this.start();
    });
    this.timer = setInterval(() => this.sweep(Date.now()), SWEEP_MS);
    this.timer.unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
    for (const stream of this.streams) stream.close();
  }

  /** @throws SiegelError OVERLOADED */
  requireRoom(): void {
    if (this.streams.size >= this.environment.SIEGEL_STREAM_MAX) throw new SiegelError('OVERLOADED');
  }

  /** Whether the session could have its release. @throws Denial */
  outlook(session: SessionClaims): SessionDecision {
    const standing = this.standings.of(session);
    return decideAgain(session, standing, this.manifests.inForce(session.tenant), new Date());
  }

  /** @param lastId of the release that the client has, from an earlier stream; unless it is the present one, a fresh one is sent at once. */
  add(stream: LiveSession, lastId: string | undefined): void {
    const { session } = stream.session;
    this.makeRoom(stream.session);
    this.streams.add(stream);
    this.bySession.set(session, [...(this.bySession.get(session) ?? []), stream]);
    const present = this.presentRevision(stream);
    if (lastId !== undefined && present !== undefined && present.revision === lastId) {
      stream.revision = lastId;
      stream.held = present.held;
      stream.manifestVersion = present.manifestVersion;
      return;
    }
    this.due.add(stream);
    this.start();
  }

  /** A connection that broke is not always noticed: the oldest stream of the session goes, and no session takes the room of others. */
  private makeRoom({ session }: SessionClaims): void {
    const own = this.bySession.get(session) ?? [];
    for (const oldest of own.slice(0, Math.max(0, own.length - STREAMS_PER_SESSION + 1))) {
      oldest.close();
      this.remove(oldest);
    }
  }

  remove(stream: LiveSession): void {
    this.due.delete(stream);
    if (!this.streams.delete(stream)) return;
    const { session } = stream.session;
    const others = (this.bySession.get(session) ?? []).filter((other) => other !== stream);
    if (others.length === 0) this.bySession.delete(session);
    else this.bySession.set(session, others);
  }

  private presentRevision(stream: LiveSession) {
    try {
      const { manifest, decision } = this.outlook(stream.session);
      const { grants, workload } = decision;
      const states = grants.secrets.map((grant) => this.watch.stateOf(objectKey(grant)));
      const versions = states.flatMap((state) => (state && 'version' in state ? [state.version] : []));
      if (versions.length !== grants.secrets.length) return undefined;
      return {
        revision: releaseRevision(workload, grants, versions),
        held: versionsByObject(grants, versions),
        manifestVersion: manifest.record.version,
      };
    } catch {
      return undefined;
    }
  }

  private sweep(now: number): void {
    for (const stream of this.streams) {
      stream.tick(now, this.environment.SIEGEL_STREAM_HEARTBEAT_MS);
      if (!stream.isOpen) this.remove(stream);
      else if (!this.due.has(stream) && !stream.busy) this.examine(stream, now);
    }
    this.start();
  }

  /** Looks at what no notification brings: the end of token and session, revocation, another manifest. */
  private examine(stream: LiveSession, now: number): void {
    const { session } = stream;
    const standing = this.standings.of(session);
    const { record } = this.manifests.inForce(session.tenant) ?? {};
    const left = session.expiresAt.getTime() - now;
    if (left <= 0) return this.end(stream, new SiegelError('TOKEN_EXPIRED'));
    // The refusal is logged and told where the release is asked for.
    if (standing.revoked) this.due.add(stream);
    else if (record?.version !== stream.manifestVersion) this.compare(stream, record?.version ?? 0);
    else if (stream.tokenNearsEnd(now) && standing.renewable && stream.renewedToken !== session.tokenId) {
      stream.renewedToken = session.tokenId;
      this.due.add(stream);
    }
  }

  /** Another manifest is in force: a release is due only if it changes what this session gets. */
  private compare(stream: LiveSession, version: number): void {
    stream.manifestVersion = version;
    const present = this.presentRevision(stream);
    if (present === undefined || present.revision !== stream.revision) this.due.add(stream);
  }

  private start(): void {
    const now = Date.now();
    for (const stream of this.due) {
      if (this.underWay >= AT_ONCE) return;
      if (stream.busy || !stream.isReady || now < stream.notBefore) continue;
      this.due.delete(stream);
      stream.busy = true;
      this.underWay++;
      void this.renew(stream).finally(() => {
        stream.busy = false;
        if (!stream.isOpen) this.remove(stream);
        else
          for (const [key, text] of stream.seenMeanwhile)
            if (differs(stream, key, text)) this.due.add(stream);
        stream.seenMeanwhile.clear();
        this.underWay--;
        this.start();
      });
    }
  }

  private async renew(stream: LiveSession): Promise<void> {
    const { session, key } = stream;
    try {
      const granted = await this.pipeline.release({
        tenant: session.tenant,
        protocol: NATIVE_PROTOCOL,
        session,
        key,
      });
      stream.renew(await this.tokens.open(granted.token, new Date()));
      stream.held = versionsByObject(granted.grants, granted.versions);
      for (const [object, version] of stream.held) this.watch.learn(object, version);
      stream.manifestVersion = stream.session.manifest.version;
      stream.failures = 0;
      const revision = releaseRevision(granted.workload, granted.grants, granted.versions);
      stream.release(sealedResponse(granted, key), revision);
      this.sent.inc({ event: 'release' });
    } catch (thrown) {
      this.refused(stream, asSiegelError(thrown));
    }
  }

  private refused(stream: LiveSession, error: SiegelError): void {
    if (WITHHELD.has(error.code)) return this.withhold(stream, error);
    if (error.entry.http < 500 && error.code !== 'RATE_LIMITED') return this.end(stream, error);
    // An outage decides nothing: later again.
    this.due.add(stream);
    stream.notBefore = Date.now() + Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** stream.failures++);
    if (error.code === 'INTERNAL')
      this.log.error({ msg: 'no release for a stream', err: error.cause ?? error });
  }

  /** Remembers what stands in the way, so that the next change of it brings another try. */
  private withhold(stream: LiveSession, error: SiegelError): void {
    try {
      const { decision, manifest } = this.outlook(stream.session);
      const states = decision.grants.secrets.map((grant): [string, string] => {
        const state = this.watch.stateOf(objectKey(grant));
        return [objectKey(grant), state === undefined ? '' : stateText(state)];
      });
      stream.held = new Map(states);
      stream.manifestVersion = manifest.record.version;
      stream.denied(error);
      this.sent.inc({ event: 'denied' });
    } catch (thrown) {
      this.end(stream, thrown instanceof Denial ? thrown.error : asSiegelError(thrown));
    }
  }

  private end(stream: LiveSession, error: SiegelError): void {
    stream.end(error);
    this.sent.inc({ event: 'end' });
    this.remove(stream);
  }
}

/** Whether the enclave was last told something else about an object that it is granted. */
function differs(stream: LiveSession, key: string, text: string): boolean {
  const held = stream.held.get(key);
  return held !== undefined && held !== text;
}
