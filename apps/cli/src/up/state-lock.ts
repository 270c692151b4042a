import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { StartFailure } from './failure.js';
import type { Layout } from './layout.js';

/** One deployment per state folder. A lock of a process that no longer lives is taken over, and what it left running is ended. */
export function lockState(layout: Layout): () => void {
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      writeFileSync(layout.lock, `${process.pid}\n`, { flag: 'wx', mode: 0o600 });
      endOrphanedBroker(layout);
      return () => rmSync(layout.lock, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const owner = Number(read(layout.lock));
    if (Number.isInteger(owner) && owner > 0 && owner !== process.pid && isNode(owner)) {
      throw new StartFailure(
        'STATE_LOCKED',
        `the state folder ${layout.root} is in use by process ${owner}; stop it, or choose another with --state DIR.`,
      );
    }
    rmSync(layout.lock, { force: true });
  }
  throw new StartFailure('STATE_LOCKED', `the state folder ${layout.root} could not be locked.`);
}

/** The services end with their supervisor by themselves; nats-server does not. It is ours if it runs on our own configuration. */
function endOrphanedBroker(layout: Layout): void {
  const pid = Number(read(layout.natsPid));
  if (!Number.isInteger(pid) || pid <= 1) return;
  if (read(`/proc/${pid}/cmdline`).includes(layout.natsConfig)) {
    process.kill(pid, 'SIGTERM');
    const until = Date.now() + 10_000;
    while (Date.now() < until && read(`/proc/${pid}/cmdline`) !== '')
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
  }
  rmSync(layout.natsPid, { force: true });
}

/** Process numbers are reused: a lock counts only while a Node process has its number. */
const isNode = (pid: number): boolean => read(`/proc/${pid}/cmdline`).includes('node');

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
