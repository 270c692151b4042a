import { ConfigurationError } from '#platform';
import {
  ed25519Signer,
  ed25519Verifier,
  formatVerifierKey,
  peekSuccession,
  signSuccession,
} from '#transparency';
import { createPublicKey, type KeyObject } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';

const NAME = 'log-successions.json';
const MAX_SUCCESSIONS = 64;
const Kept = z.record(z.string(), z.array(z.string().max(4_096)).max(MAX_SUCCESSIONS));

/**
 * The successions of the log's keys, in a file of the state folder. Each is signed once and then kept: a key that names two successors
 * would be a fork to every auditor.
 */
export class LogSuccessions {
  private constructor(private readonly kept: Readonly<Record<string, readonly string[]>>) {}

  /**
   * Reads what is kept and signs what is missing, by the previous key.
   * @throws ConfigurationError if that has another successor already, or the file cannot be read
   */
  static open(
    folder: string,
    origins: readonly string[],
    logKey: KeyObject,
    previous: KeyObject | undefined,
    now: number,
  ): LogSuccessions {
    const path = join(folder, NAME);
    const kept = read(path);
    if (previous === undefined) return new LogSuccessions(kept);
    const next = createPublicKey(logKey);
    let changed = false;
    for (const origin of origins) {
      const known = kept[origin] ?? [];
      const { keyId } = ed25519Verifier(origin, createPublicKey(previous));
      const own = known.map(peekSuccession).find(({ signers }) => signers.includes(keyId));
      if (own && own.vkey !== formatVerifierKey(origin, next))
        throw refused(
          `holds a key that another key than that of SIEGEL_AUDIT_LOG_KEY_FILE succeeds already: ${own.vkey}`,
        );
      if (own) continue;
      kept[origin] = [...known, signSuccession(origin, next, now, ed25519Signer(origin, previous))];
      changed = true;
    }
    if (changed) write(path, kept);
    return new LogSuccessions(kept);
  }

  /** The notes of a log, the oldest first. */
  of(origin: string): readonly string[] {
    return this.kept[origin] ?? [];
  }
}

function read(path: string): Record<string, string[]> {
  try {
    const kept = Kept.parse(JSON.parse(readFileSync(path, 'utf8')));
    for (const note of Object.values(kept).flat()) peekSuccession(note);
    return kept;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw refused(`needs ${NAME} of the state folder, which is damaged: ${(error as Error).message}`);
  }
}

/** Durable before anything is signed by the next key alone. */
function write(path: string, kept: object): void {
  const draft = openSync(`${path}.new`, 'w', 0o600);
  writeSync(draft, `${JSON.stringify(kept, null, 2)}\n`);
  fsyncSync(draft);
  closeSync(draft);
  renameSync(`${path}.new`, path);
  const folder = openSync(dirname(path), 'r');
  fsyncSync(folder);
  closeSync(folder);
}

const refused = (message: string) =>
  new ConfigurationError([{ variable: 'SIEGEL_AUDIT_LOG_PREVIOUS_KEY_FILE', message }]);
