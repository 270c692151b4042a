import { type SimulatedPlatform, SimulatedSgx } from '#simulator';
import { readFileSync } from 'node:fs';
import { Layout } from '../../apps/cli/src/up/layout.js';

type State = Parameters<typeof SimulatedSgx.fromJSON>[0];

/** The demo machine of a deployment that may still be starting: its PKI is in the state folder before any service runs. */
export function platformOf(state: string): SimulatedPlatform {
  const kept = JSON.parse(readFileSync(new Layout(state).simulator, 'utf8')) as State;
  return SimulatedSgx.fromJSON(kept).platform({ name: 'demo' });
}
