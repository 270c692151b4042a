import { type CheckedEvent, FollowedNumbering, type FollowedNumberingState, type Fraud } from '#auditor';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { CliError } from '../failure/cli-error.js';

const count = z.number().int().min(0);
const Range = z.strictObject({ from: count, to: count });
const State = z.strictObject({
  siegelNumbers: z.literal(1),
  logs: z.record(z.string(), count),
  complete: z.boolean(),
  whole: z.boolean(),
  joined: z.boolean(),
  latest: z.number(),
  runs: z.record(
    z.string(),
    z.strictObject({
      base: count,
      seen: z.strictObject({ floor: count, bits: z.base64() }),
      spoken: z.array(Range),
      said: count,
      absent: z.array(Range),
      late: z.array(z.strictObject({ seq: count, time: z.number() })),
      saidLate: count,
      progress: z.array(z.tuple([z.number().int(), count])),
    }),
  ),
});

/** An event that a verified checkpoint covers. */
export interface CoveredEvent {
  index: number;
  event: CheckedEvent;
}

/** The emitters' numbers over all logs that are followed together, and what is remembered of them. */
export class FollowedNumbers {
  private readonly said = new Set<string>();

  private constructor(
    private readonly numbering: FollowedNumbering,
    private readonly others: readonly string[],
    private readonly file: string | undefined,
    private readonly notice: (message: string) => void,
  ) {}

  /**
   * @param origins the logs that are followed
   * @param others logs of the same emitters that are not
   * @param file what is remembered; not where there is nothing to compare
   * @throws CliError EVIDENCE_INVALID
   */
  static open(
    origins: readonly string[],
    others: readonly string[],
    file: string,
    notice: (message: string) => void,
  ): FollowedNumbers {
    // Of one log among several only that log itself can be judged.
    const kept = origins.length > 1 ? file : undefined;
    const state = kept === undefined ? undefined : remembered(kept);
    const numbering = new FollowedNumbering(origins, others.length === 0, state);
    return new FollowedNumbers(numbering, others, kept, notice);
  }

  /** Name of the present round of reading, to be given to `take` for a checkpoint that is fetched from now on. */
  get round(): number {
    return this.numbering.round;
  }

  /** Takes what a new checkpoint of one log covers, and judges. Remembered before the log is: see FollowedNumbering. */
  take(origin: string, covered: readonly CoveredEvent[], caughtUp: boolean, round: number): Fraud[] {
    if (this.others.length > 0)
      this.say(
        `missing numbers are not judged: the emitters also write to ${this.others.join(', ')}, which is not followed here`,
      );
    for (const { index, event } of covered) {
      const found = this.numbering.add(origin, event, index);
      if (found) return [found];
    }
    if (caughtUp) this.numbering.caughtUp(origin, round);
    const found = this.numbering.unexplained();
    if (found.length > 0) return found;
    if (this.numbering.beganAnew && this.others.length === 0)
      this.say(
        'the numbers over all logs are judged from here on: what came before was not followed together',
      );
    if (covered.length > 0) this.remember();
    return [];
  }

  private say(message: string): void {
    if (this.said.has(message)) return;
    this.said.add(message);
    this.notice(message);
  }

  private remember(): void {
    if (this.file === undefined) return;
    writeFileSync(`${this.file}.new`, JSON.stringify(this.numbering.state), { mode: 0o600 });
    renameSync(`${this.file}.new`, this.file);
  }
}

function remembered(file: string): FollowedNumberingState | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return State.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    throw CliError.of('EVIDENCE_INVALID', `"${file}" is not what was remembered of the emitters' numbers.`, {
      cause: error,
    });
  }
}
