import { watch, type FSWatcher } from 'node:fs';
import { DcapError, type CollateralBundle, type TrustAnchor } from '#dcap';
import type { CollateralKey } from '../../collateral-key.js';
import type { Edition } from '../../edition.js';
import { type CollateralSource, SourceError } from '../collateral-source.js';
import { BundleFolder, type BundleEntry } from './bundle-folder.js';

/** Bundles that are tried for one key; more of them only cost time. */
const MAX_CANDIDATES = 4;
/** Files come in several steps, and seldom alone. */
const SETTLE_MS = 200;

export interface BundleOptions {
  readonly folder: string;
  readonly anchors: readonly TrustAnchor[];
  readonly graceSeconds: number;
  readonly clock: () => Date;
}

/**
 * Offline collateral: bundle files in a folder, for deployments without a way out. It has no update channels: what lies in the
 * folder was chosen by the operator. Of several bundles for a key those in force come first, the highest evaluation number
 * before others, then the latest issue.
 */
export class BundleSource implements CollateralSource {
  readonly name = 'bundle';
  readonly local = true;
  private readonly folder: BundleFolder;
  private readonly watchers: FSWatcher[] = [];
  private settling: NodeJS.Timeout | undefined;
  private readonly rootKeys: ReadonlyMap<string, string>;

  constructor(private readonly options: BundleOptions) {
    this.folder = new BundleFolder(options.folder);
    this.rootKeys = new Map(options.anchors.map(({ id, publicKey }) => [id, publicKey.toString('hex')]));
  }

  async fetch(key: CollateralKey, edition: Edition = 'standard'): Promise<readonly CollateralBundle[]> {
    const all = await this.candidates(key);
    const candidates = all
      .filter(({ tcbEvaluationDataNumber: number }) => typeof edition !== 'number' || number === edition)
      .slice(0, MAX_CANDIDATES);
    if (candidates.length === 0)
      throw new SourceError(this.name, 'not-found', `no bundle for ${key.tee} ${key.fmspc} ${key.ca}`);
    const bundles: CollateralBundle[] = [];
    for (const entry of candidates) {
      try {
        bundles.push(await this.folder.read(entry));
      } catch (error) {
        // It may have been replaced between the look and the read.
        if (!(error instanceof DcapError) && (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
    if (bundles.length === 0)
      throw new SourceError(this.name, 'malformed', 'the bundle changed while it was read');
    return bundles;
  }

  /** Where the file system tells of changes it takes a moment; the others are found when the collateral is next looked at. */
  onChange(listener: () => void): void {
    try {
      const watcher = watch(this.options.folder, { persistent: false }, () => {
        this.settling ??= setTimeout(() => {
          this.settling = undefined;
          listener();
        }, SETTLE_MS).unref();
      });
      watcher.on('error', () => watcher.close());
      this.watchers.push(watcher);
    } catch {
      // The folder is not there, or cannot be watched.
    }
  }

  async close(): Promise<void> {
    clearTimeout(this.settling);
    for (const watcher of this.watchers) watcher.close();
  }

  private async candidates(key: CollateralKey): Promise<BundleEntry[]> {
    let entries: readonly BundleEntry[];
    try {
      entries = await this.folder.entries();
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      throw new SourceError(this.name, 'unreachable', `the folder cannot be read: ${code ?? 'failed'}`, {
        cause,
      });
    }
    const now = this.options.clock().getTime();
    const grace = this.options.graceSeconds * 1_000;
    const inForce = (entry: BundleEntry): boolean => entry.issued <= now && now <= entry.nextUpdate + grace;
    return entries
      .filter(
        (entry) =>
          entry.tee === key.tee &&
          entry.fmspc === key.fmspc &&
          entry.ca === key.ca &&
          entry.rootKey === this.rootKeys.get(key.anchor),
      )
      .sort(
        (a, b) =>
          Number(inForce(b)) - Number(inForce(a)) ||
          b.tcbEvaluationDataNumber - a.tcbEvaluationDataNumber ||
          b.issued - a.issued,
      );
  }
}
