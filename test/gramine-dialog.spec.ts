import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { answerWith, REQUEST, RESPONSE } from '../apps/key-release/src/wrappers/gramine/wire-format.js';
import * as client from './gramine/reference-client.js';

const RECORDED = join(process.cwd(), '../shared/vectors/gramine/dialog.json');
const have = existsSync(RECORDED);
if (!have) process.stdout.write('no recorded dialogs beside the checkout: only our two ends are compared\n');

interface Run {
  readonly client: string;
  readonly scenario: string;
  readonly dialog: readonly { readonly dir: 'C>S' | 'S>C'; readonly hex?: string }[];
}

it('service and reference client were written apart and agree', () => {
  expect(client.REQUEST.equals(REQUEST)).toBe(true);
  expect(client.RESPONSE.equals(RESPONSE)).toBe(true);
  expect([REQUEST.length, RESPONSE.length]).toEqual([35, 37]);
});

(have ? describe : describe.skip)(
  'dialogs recorded with the libraries of Gramine 1.3.1, 1.7, 1.8 and 1.9',
  () => {
    const { runs } = have ? (JSON.parse(readFileSync(RECORDED, 'utf8')) as { runs: Run[] }) : { runs: [] };
    const said = (run: Run, dir: 'C>S' | 'S>C'): Buffer =>
      Buffer.concat(
        run.dialog.filter((part) => part.dir === dir).map(({ hex }) => Buffer.from(hex ?? '', 'hex')),
      );
    const answered = runs.filter(
      ({ scenario, dialog }) =>
        dialog.some(({ dir, hex = '' }) => dir === 'S>C' && hex !== '') && scenario !== 'wrong-magic',
    );

    it('are many, of every generation', () => {
      expect(answered.length).toBeGreaterThan(40);
      expect(new Set(answered.map((run) => run.client)).size).toBe(4);
    });

    it.each(answered.map((run) => [`${run.client} ${run.scenario}`, run] as const))('%s', (_name, run) => {
      expect(said(run, 'C>S').subarray(0, REQUEST.length)).toEqual(REQUEST);
      const answer = said(run, 'S>C');
      const size = answer.readUInt32BE(RESPONSE.length);
      const secret = answer.subarray(RESPONSE.length + 4, RESPONSE.length + 4 + size);
      expect(answerWith(secret)).toEqual(answer.subarray(0, RESPONSE.length + 4 + size));
    });
  },
);
