import { SimulatedSgx, type SimulatedPlatform } from '#simulator';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Layout } from './layout.js';

/** The machine whose collateral a deployment has. */
export const PLATFORM = 'demo';
const REFRESH_MS = 24 * 3_600_000;

/** The simulated SGX world of this deployment: one PKI, kept in its state folder, and collateral that is made anew every day. */
export class SimulatedWorld {
  readonly platform: SimulatedPlatform;
  private timer: NodeJS.Timeout | undefined;

  private constructor(
    readonly sgx: SimulatedSgx,
    private readonly layout: Layout,
  ) {
    this.platform = sgx.platform({ name: PLATFORM });
  }

  static open(layout: Layout): SimulatedWorld {
    const world = new SimulatedWorld(loadOrCreate(layout), layout);
    write(layout.simulatedRoot, world.sgx.rootPem);
    world.issueCollateral();
    world.timer = setInterval(() => world.issueCollateral(), REFRESH_MS);
    world.timer.unref();
    return world;
  }

  close(): void {
    clearInterval(this.timer);
  }

  private issueCollateral(): void {
    write(
      join(this.layout.bundles, `${PLATFORM}.json`),
      JSON.stringify(this.sgx.collateral({ platform: this.platform })),
    );
  }
}

function loadOrCreate(layout: Layout): SimulatedSgx {
  try {
    return SimulatedSgx.fromJSON(JSON.parse(readFileSync(layout.simulator, 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const sgx = SimulatedSgx.create();
  write(layout.simulator, JSON.stringify(sgx.toJSON()));
  return sgx;
}

/** Replaced in one step, so that a reader never sees half a file. */
function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
