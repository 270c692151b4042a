import { CoordinatorError } from '../coordinator-error.js';
import type { Coordinator } from '../state/coordinator.js';
import type { MarbleIdentity } from './marble-certificate.js';

/** Of one deployment, so that no marble can fill the memory. */
const MAX_COUNTERS = 100_000;
const MAX_NAME = 256;

/**
 * Raises a marble's counter if the value is greater, and tells what it was before; durable before the answer. Counters of one name
 * differ by type and UUID of the marble. Source: reference §3.
 */
export function raiseCounter(
  coordinator: Coordinator,
  { type, uuid }: MarbleIdentity,
  name: string,
  value: bigint,
): Promise<{ value: bigint }> {
  const { settings } = coordinator;
  if (name.length > MAX_NAME)
    throw new CoordinatorError('REQUEST_INVALID', `the name of a counter has at most ${MAX_NAME} characters`);
  return coordinator.change((data) => {
    const id = JSON.stringify([type, uuid, name]);
    const known = data.counters.get(id);
    const previous = known ?? 0n;
    if (known === undefined && value > 0n && data.counters.size >= MAX_COUNTERS)
      throw new CoordinatorError('REQUEST_INVALID', `this deployment has ${MAX_COUNTERS} counters already`);
    return {
      data: value > previous ? { ...data, counters: new Map([...data.counters, [id, value]]) } : data,
      value: { value: previous },
      events: [
        {
          tenant: settings.tenant,
          type: 'coordinator.counter',
          outcome: 'ok',
          data: {
            deployment: settings.name,
            actor: `marble:${type}`.slice(0, 160),
            uuid,
            counter: name,
            value: (value > previous ? value : previous).toString(),
            previous: previous.toString(),
          },
        },
      ],
    };
  });
}
