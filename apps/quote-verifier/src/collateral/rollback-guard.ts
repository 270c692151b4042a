import { parseCrl, type CollateralBundle, type CollateralSummary } from '#dcap';
import { Logger } from '@nestjs/common';
import { mkdirSync, readFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { CollateralRollback } from './collateral-failure.js';

const hexNumber = z.string().regex(/^[0-9a-f]{1,40}$/);

/** The highest numbers seen for one key, and the epoch they came with. */
const Floor = z.strictObject({
  tcbEvaluationDataNumber: z.number().int().nonnegative(),
  qeEvaluationDataNumber: z.number().int().nonnegative(),
  pckCrl: hexNumber.optional(),
  rootCrl: hexNumber.optional(),
  id: z.string().max(64),
});
type Floor = z.infer<typeof Floor>;
const FloorFile = z.strictObject({ v: z.literal(1), floors: z.record(z.string().max(128), Floor) });

/**
 * Collateral never goes back: signed collateral of last week is still authentic and may still be in force, but who serves it
 * after newer was seen hides a TCB recovery or a revocation. Evaluation numbers and CRL numbers only rise, across restarts.
 */
export class RollbackGuard {
  private readonly log = new Logger(RollbackGuard.name);
  private readonly floors: Map<string, Floor>;
  private writing: Promise<void> = Promise.resolve();

  /** @param file where the floors are kept. */
  constructor(private readonly file: string) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    this.floors = this.load();
  }

  /** Throws CollateralRollback if the bundle is behind what was seen for its key. */
  check(key: string, seen: CollateralSummary, bundle: CollateralBundle): void {
    const floor = this.floors.get(key);
    if (floor === undefined) return;
    for (const [name, was, is] of [
      ['TCB info', floor.tcbEvaluationDataNumber, seen.tcbEvaluationDataNumber],
      ['QE identity', floor.qeEvaluationDataNumber, seen.qeEvaluationDataNumber ?? 0],
    ] as const) {
      if (is < was)
        throw new CollateralRollback(
          `the evaluation number of its ${name}, ${is}, is below ${was}, seen before`,
        );
    }
    for (const [name, was, is] of [
      ['PCK CRL', floor.pckCrl, crlNumber(bundle.pck_crl)],
      ['root CRL', floor.rootCrl, crlNumber(bundle.root_ca_crl)],
    ] as const) {
      if (was !== undefined && (is === undefined || compareHex(is, was) < 0))
        throw new CollateralRollback(`its ${name} number is below one seen before`);
    }
  }

  /** The epoch that was last in force for a key, in this run or before. */
  lastId(key: string): string | undefined {
    return this.floors.get(key)?.id;
  }

  /** Remembers the numbers; resolves when they are on disk. */
  raise(key: string, seen: CollateralSummary, bundle: CollateralBundle): Promise<void> {
    const floor = this.floors.get(key);
    const pckCrl = higher(floor?.pckCrl, crlNumber(bundle.pck_crl));
    const rootCrl = higher(floor?.rootCrl, crlNumber(bundle.root_ca_crl));
    this.floors.set(key, {
      tcbEvaluationDataNumber: Math.max(floor?.tcbEvaluationDataNumber ?? 0, seen.tcbEvaluationDataNumber),
      qeEvaluationDataNumber: Math.max(floor?.qeEvaluationDataNumber ?? 0, seen.qeEvaluationDataNumber ?? 0),
      ...(pckCrl === undefined ? {} : { pckCrl }),
      ...(rootCrl === undefined ? {} : { rootCrl }),
      id: seen.id,
    });
    this.writing = this.writing.then(() => this.save());
    return this.writing;
  }

  private load(): Map<string, Floor> {
    let text: string;
    try {
      text = readFileSync(this.file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
      throw error;
    }
    try {
      return new Map(Object.entries(FloorFile.parse(JSON.parse(text)).floors));
    } catch {
      this.log.warn(`${this.file} is not readable as collateral floors; starting without them`);
      return new Map();
    }
  }

  private async save(): Promise<void> {
    const text = JSON.stringify({ v: 1, floors: Object.fromEntries(this.floors) });
    const temporary = `${this.file}.new`;
    try {
      const handle = await open(temporary, 'w', 0o600);
      try {
        await handle.writeFile(text);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, this.file);
      const folder = await open(dirname(this.file), 'r');
      await folder.sync().finally(() => folder.close());
    } catch (error) {
      // The floors still hold in memory; only a restart would forget them.
      this.log.error(`collateral floors cannot be stored: ${(error as Error).message}`);
    }
  }
}

function crlNumber(hex: string): string | undefined {
  return hex === '' ? undefined : parseCrl(Buffer.from(hex, 'hex')).number;
}

/** Both without leading zeros. */
function compareHex(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

function higher(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return compareHex(a, b) > 0 ? a : b;
}
