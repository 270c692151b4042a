import {
  cosignatureTime,
  cosignatureVerifier,
  openNote,
  parseVerifierKey,
  TransparencyError,
} from '#transparency';
import { setTimeout as delay } from 'node:timers/promises';
import type { Deployment } from '../deployment/deployment.js';
import { CliError } from '../failure/cli-error.js';
import type { Check, CheckResult } from './check.js';

/** The first checkpoint comes a second after the start, and each is public a moment before it is cosigned. */
const ATTEMPTS = 5;
const PAUSE_MS = 400;

/** Whether the witness of the deployment cosigns the log. Nothing else waits for it, so that it is a warning at most. */
export function witnessCheck(deployment: Deployment, tenant: string, key: string): Check {
  return { name: 'witness', run: () => cosigned(deployment, tenant, key) };
}

async function cosigned(
  deployment: Deployment,
  tenant: string,
  key: string,
): Promise<Omit<CheckResult, 'name'>> {
  const { name, publicKey } = parseVerifierKey(key);
  const verifier = cosignatureVerifier(name, publicKey);
  const client = await deployment.client('audit', { anonymous: true });
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      try {
        const note = await client.text(`/v1/logs/${tenant}/checkpoint`);
        const [line] = openNote(note, [verifier]).verified;
        const at = line && cosignatureTime(line.signature);
        return { ok: true, detail: `${name} cosigned the log${at ? ` at ${at.toISOString()}` : ''}` };
      } catch (error) {
        const early = error instanceof CliError && error.code === 'NOT_FOUND';
        const bare = error instanceof TransparencyError && error.code === 'NOTE_UNVERIFIED';
        if (!early && !bare) throw error;
      }
      await delay(PAUSE_MS);
    }
    return {
      ok: true,
      detail: `${name} has not cosigned the newest checkpoint`,
      remedy: 'Look at the logs of the witness and of audit; everything else goes on without it.',
    };
  } finally {
    await client.close();
  }
}
