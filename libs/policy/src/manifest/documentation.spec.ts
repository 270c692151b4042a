import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { BINDING_CONVENTIONS } from '#evidence';
import { DENIAL_CODES, lintManifest, manifestJsonSchema, parseManifest } from '../index.js';

const root = join(import.meta.dirname, '../../../..');
const documentation = readFileSync(join(root, 'docs/manifest.md'), 'utf8');

/** Documents of other systems are explained where their wrappers are, in docs/wrappers. */
const OTHER_FORMATS = ['maa-policy', 'marblerun-manifest', 'scone-session'];

/** Codes that the sources report: the first argument of a reporting call, or a `code:` member. */
function reportedCodes(): Set<string> {
  const codes = new Set<string>();
  const source = join(root, 'libs/policy/src');
  for (const entry of readdirSync(source, { recursive: true, withFileTypes: true })) {
    if (OTHER_FORMATS.some((folder) => entry.parentPath.startsWith(join(source, folder)))) continue;
    // Thrown at programmers, not reported about documents.
    if (entry.name === 'compile.ts') continue;
    if (!entry.isFile() || !entry.name.endsWith('.ts') || entry.name.endsWith('.spec.ts')) continue;
    const text = readFileSync(join(entry.parentPath, entry.name), 'utf8');
    const calls = /(?:\b(?:error|warning|warn|refuse|stop|whole)\(\s*|\bcode: )'([A-Z][A-Z0-9_]+)'/g;
    for (const match of text.matchAll(calls)) codes.add(match[1]!);
  }
  return codes;
}

describe('docs/manifest.md', () => {
  it('explains every problem and every denial', () => {
    const codes = [...reportedCodes(), ...Object.keys(DENIAL_CODES)];
    expect(codes.length).toBeGreaterThan(90);
    expect(codes.filter((code) => !documentation.includes(`\`${code}\``))).toEqual([]);
  });

  it('names every key of the schema and every binding', () => {
    const names = new Set<string>(BINDING_CONVENTIONS);
    const visit = (node: unknown): void => {
      if (typeof node !== 'object' || node === null) return;
      const { properties } = node as { properties?: object };
      for (const key of Object.keys(properties ?? {})) names.add(key);
      Object.values(node).forEach(visit);
    };
    visit(manifestJsonSchema());
    expect(names.size).toBeGreaterThan(60);
    // RTMRs between the first and the last are not spelled out in the table.
    const missing = [...names].filter(
      (name) => !/^rtmr[12]$/.test(name) && !new RegExp(`[\`.]${name}[\`:]`).test(documentation),
    );
    expect(missing).toEqual([]);
  });

  it('shows an example without a finding', () => {
    const example = /```yaml\n([\s\S]+?)```/.exec(documentation)?.[1] ?? '';
    const text = example.replace('<64 hex digits>', 'ab'.repeat(32));
    expect(text).not.toBe(example);
    expect(lintManifest(text)).toEqual({ ok: true, problems: [] });
    expect(parseManifest(text).ok).toBe(true);
  });
});
