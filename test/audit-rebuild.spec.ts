import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../apps/cli/src/main.js';
import { recordingTerminal } from '../apps/cli/src/terminal/recording-terminal.js';
import { Layout } from '../apps/cli/src/up/layout.js';
import { siegel as siegelProgram } from './cli-command.js';
import {
  certificateFor,
  entryBytes,
  type LoggedEvent,
  manifestOf,
  numberingFaults,
  type RunningSiegel,
  startSiegel,
  temporaryFolder,
} from './harness/index.js';

jest.setTimeout(120_000);
const state = temporaryFolder();
const layout = new Layout(state);
const store = (name: string): string => layout.path('audit', name);
const remove = (name: string): void => {
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${store(name)}${suffix}`, { force: true });
};

async function inState(...args: string[]) {
  const terminal = recordingTerminal({ cwd: state });
  const code = await run([...args, '--state', state, '--json'], terminal);
  return { code, ...(JSON.parse(terminal.written.out) as Record<string, unknown>) };
}
/** As a process from dist/, because it starts one itself. */
const rebuild = async () => {
  const { code, json } = await siegelProgram(['audit', 'rebuild', '--state', state, '--json']);
  return { code, ...json() };
};

let before: LoggedEvent[];
let siegel: RunningSiegel | undefined;

beforeAll(async () => {
  const manifest = manifestOf({ rebuilt: { certificate: certificateFor('rebuilt') } });
  siegel = await startSiegel({ state, manifest });
  for (let i = 0; i < 5; i++) await siegel.machines.enclave('rebuilt').attest(siegel.service);
  expect(await rebuild()).toMatchObject({ code: 1, error: { code: 'REBUILD_FAILED' } });
  before = await siegel.log.all();
  await siegel.stop();
  siegel = undefined;
  writeFileSync(join(state, 'old.checkpoint'), readFileSync(store('tree/default/checkpoint')));
});
afterAll(async () => {
  await siegel?.stop();
  rmSync(state, { recursive: true, force: true });
});

describe('siegel audit rebuild', () => {
  it('makes the index anew from the log', async () => {
    remove('index.db');
    const { code, restored, indexed } = (await rebuild()) as Record<string, unknown>;
    expect({ code, restored }).toEqual({ code: 0, restored: 0 });
    // The services said that they stop.
    expect(indexed).toBeGreaterThan(before.length);
  });

  it('refuses tiles that are not those of the signed checkpoint, and leaves nothing behind', async () => {
    const kept = new Map(
      ['log.db', 'log.db-wal'].flatMap((name) =>
        existsSync(store(name)) ? [[name, readFileSync(store(name))] as const] : [],
      ),
    );
    remove('log.db');
    const [bundle] = readTiles();
    const bytes = readFileSync(bundle!);
    const changed = Buffer.from(bytes);
    changed.write('deni', changed.indexOf('granted'));
    writeFileSync(bundle!, changed);
    expect(await rebuild()).toMatchObject({ code: 1, error: { code: 'REBUILD_FAILED' } });
    expect(existsSync(store('log.db'))).toBe(false);
    writeFileSync(bundle!, bytes);
    for (const [name, content] of kept) writeFileSync(store(name), content);
  });

  it('makes a lost store anew from the tiles, and the log goes on as the same tree', async () => {
    remove('log.db');
    remove('index.db');
    const { code, restored, indexed } = (await rebuild()) as Record<string, unknown>;
    expect({ code, restored }).toEqual({ code: 0, restored: indexed });
    siegel = await startSiegel({ state });
    const { response } = await siegel.machines.enclave('rebuilt').attest(siegel.service);
    expect(response.promise.index).toBeGreaterThanOrEqual(restored as number);
    const after = await siegel.log.all();
    for (const [i, event] of before.entries()) {
      expect(after[i]!.index).toBe(event.index);
      expect(entryBytes(after[i]!).equals(entryBytes(event))).toBe(true);
    }
    expect(numberingFaults(after)).toEqual({ doubled: [], missing: [] });
    expect(await inState('audit', 'verify', '--checkpoint', 'old.checkpoint')).toMatchObject({
      code: 0,
      ok: true,
    });
  });
});

/** The entry bundles on the disk. */
function readTiles(): string[] {
  const partials = store('tree/default/tile/entries/000.p');
  const [, size] = readFileSync(store('tree/default/checkpoint'), 'utf8').split('\n');
  return [join(partials, size!)];
}
