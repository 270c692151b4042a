import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lintManifest, scone } from '../index.js';

const FOLDER = join(import.meta.dirname, 'fixtures');
const read = (name: string): string => readFileSync(join(FOLDER, name), 'utf8');
const NAMES = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.session'))
  .sort();

/** For templates: what a user would give with --value. */
const VALUES = new Map([
  ['NAMESPACE', 'shop'],
  ['MRENCLAVE', 'a1'.repeat(32)],
  ['RANDOM_ID', '17'],
  ['VERSION', 'v3'],
  ['MRENCLAVE_TRUSTEDZONE', 'e5'.repeat(32)],
  ['PREDECESSOR', ''],
  ['SessionName', 'spire'],
  ['Predecessor', '~'],
  ['Workload', 'web'],
]);

function imported(text: string) {
  const filled = scone.fillTemplate(text, VALUES);
  const session = scone.readSession(filled.text);
  if (!session.ok) return { missing: filled.missing, faults: session.faults };
  const { services, report } = scone.importSession(session);
  return { missing: filled.missing, services, report };
}

describe('import of SCONE sessions', () => {
  it('has a golden report for each of at least twelve sessions', () => {
    expect(NAMES.length).toBeGreaterThanOrEqual(12);
  });

  it.each(NAMES)('%s becomes what its golden report says', (name) => {
    const golden: unknown = JSON.parse(read(name.replace('.session', '.json')));
    expect(JSON.parse(JSON.stringify(imported(read(name))))).toEqual(golden);
  });

  it.each(NAMES)('%s: what is imported is a manifest', (name) => {
    const workloads = (imported(read(name)).services ?? []).map(({ workload }, at) => [`w${at}`, workload]);
    if (workloads.length === 0) return;
    const text = JSON.stringify({ siegel: 'v1', workloads: Object.fromEntries(workloads) });
    const errors = lintManifest(text).problems.filter(({ severity }) => severity === 'error');
    expect(errors).toEqual([]);
  });

  it.each(NAMES)('%s: without values its variables are named, never guessed', (name) => {
    const text = read(name);
    const variables = [...text.matchAll(/^(?!\s*#).*$/gm)].flatMap(([line]) => [
      ...line.replace(/\$\$SCONE::[^$]*\$\$/g, '').matchAll(/\$\{?[A-Z_]+|\{\{|__[A-Z]/g),
    ]).length;
    const { missing } = scone.fillTemplate(text, new Map());
    expect(missing.length > 0).toBe(variables > 0);
  });

  it('says that a command with a placeholder cut at a space is not supported', () => {
    const command = (text: string) =>
      `name: a\nversion: "0.3"\nsecrets: [{ name: b, kind: ascii, size: 8 }]\nservices:\n  - name: s\n    mrenclaves: [${'ab'.repeat(32)}]\n    command: ${text}\n`;
    const cut = (text: string) =>
      (imported(command(text)).report ?? []).filter(({ note }) => note.includes('cut at a space'));
    expect(cut('run "$$SCONE::b$$"')).toEqual([]);
    expect(cut('run $$SCONE::b |escape(json)$$')).toHaveLength(1);
  });
});
