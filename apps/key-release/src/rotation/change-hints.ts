import { SUBJECTS, VAULT_CHANGE_TYP, VaultChange } from '#contracts';
import { LocalSigner, signJws, verifyJws } from '#pki';
import { NATS_CONNECTION, TRUST, type Trust } from '#platform';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { randomUUID } from 'node:crypto';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../environment.js';

const MAX_BYTES = 16 * 1024;
/** Older hints tell nothing that the poll does not know, and a replayed one should cost nobody a read. */
const MAX_AGE_SECONDS = 60;
/** Hints that wait for their signature check; more are dropped, the poll is the truth. */
const MAX_WAITING = 1_000;

type Receiver = (change: VaultChange) => Promise<void> | void;

/** Hints between the replicas over NATS, signed with the emitter key and believed from nobody but a key-release. */
@Injectable()
export class ChangeHints {
  private readonly log = new Logger(ChangeHints.name);
  private readonly source = randomUUID();
  private readonly signer: Promise<LocalSigner>;
  private subscription: Subscription | undefined;
  private waiting = 0;

  constructor(
    @Inject(NATS_CONNECTION) private readonly nats: NatsConnection,
    @Inject(TRUST) private readonly trust: Trust,
    @Inject(KEY_RELEASE_ENVIRONMENT) environment: KeyReleaseEnvironment,
  ) {
    this.signer = LocalSigner.fromFile(environment.SIEGEL_EMITTER_KEY_FILE);
    // Awaited where it is used; until then an unreadable file must not end the process in another way than it does at start.
    this.signer.catch(() => undefined);
  }

  listen(receiver: Receiver): void {
    this.subscription = this.nats.subscribe(SUBJECTS.vaultChanged, {
      callback: (error, message) => {
        if (error || this.waiting >= MAX_WAITING || message.data.length > MAX_BYTES) return;
        this.waiting++;
        this.receive(message.string(), receiver)
          .catch((failure: unknown) =>
            this.log.warn(`a hint was not one of a key-release: ${(failure as Error).message.slice(0, 200)}`),
          )
          .finally(() => this.waiting--);
      },
    });
  }

  close(): void {
    this.subscription?.unsubscribe();
  }

  /** Tells all replicas. Never throws: the poll finds what a hint did not bring. */
  async tell(change: Omit<VaultChange, 'v' | 'source' | 'iat'>): Promise<void> {
    const full: VaultChange = { v: 1, source: this.source, iat: Math.floor(Date.now() / 1_000), ...change };
    try {
      const jws = await signJws(Buffer.from(JSON.stringify(full)), await this.signer, {
        typ: VAULT_CHANGE_TYP,
        maxBytes: MAX_BYTES,
      });
      this.nats.publish(SUBJECTS.vaultChanged, jws);
    } catch (error) {
      this.log.warn(`the other replicas were not told of a change: ${(error as Error).message}`);
    }
  }

  private async receive(jws: string, receiver: Receiver): Promise<void> {
    const { payload } = await verifyJws(jws, {
      keys: (kid) => {
        const emitter = kid === undefined ? undefined : this.trust.emitters.get(kid);
        return emitter?.name === 'key-release' ? { alg: 'EdDSA', key: emitter.key } : undefined;
      },
      typ: VAULT_CHANGE_TYP,
      maxBytes: MAX_BYTES,
    });
    const change = VaultChange.parse(JSON.parse(payload.toString('utf8')));
    if (change.source === this.source) return;
    if (Math.abs(Date.now() / 1_000 - change.iat) > MAX_AGE_SECONDS) return;
    await receiver(change);
  }
}
