import { STREAMS, SUBJECTS } from '#contracts';
import { DiscardPolicy, type JetStreamManager, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';

export interface StreamSettings {
  maxAgeHours: number;
  replicas: number;
}

const STREAM_NOT_FOUND = 10_059;
const HOUR_MS = 3_600_000;

/** Creates the stream of logged events, or brings its age and replicas in line. Nobody can purge it or delete from it. */
export async function ensureEventStream(manager: JetStreamManager, settings: StreamSettings): Promise<void> {
  const max_age = settings.maxAgeHours === 0 ? 0 : nanos(settings.maxAgeHours * HOUR_MS);
  try {
    const { config } = await manager.streams.info(STREAMS.events);
    if (config.max_age !== max_age || config.num_replicas !== settings.replicas) {
      await manager.streams.update(STREAMS.events, { ...config, max_age, num_replicas: settings.replicas });
    }
  } catch (error) {
    if ((error as { code?: number }).code !== STREAM_NOT_FOUND) throw error;
    await manager.streams.add({
      name: STREAMS.events,
      description: 'Logged events, in the order of their commit. The audit log is the authority.',
      subjects: [`${SUBJECTS.events}.>`],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      max_age,
      num_replicas: settings.replicas,
      duplicate_window: nanos(120_000),
      deny_delete: true,
      deny_purge: true,
      allow_direct: true,
    });
  }
}
