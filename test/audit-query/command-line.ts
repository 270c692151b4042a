import { describe, expect, it } from '@jest/globals';
import { hash } from 'node:crypto';
import { join } from 'node:path';
import { run } from '../../apps/cli/src/main.js';
import { recordingTerminal } from '../../apps/cli/src/terminal/recording-terminal.js';
import type { FilledLog, Item } from './filled-log.js';

export function commandLine({ deployment, ids, other }: FilledLog): void {
  describe('siegel audit', () => {
    async function siegel(...args: string[]) {
      const terminal = recordingTerminal();
      const target = [
        '--audit-url',
        deployment.url,
        '--audit-token-file',
        join(deployment.state, 'api.token'),
      ];
      const code = await run(['audit', ...args, ...target], terminal);
      return { code, ...terminal.written };
    }
    const lines = (text: string) => text.trimEnd().split('\n');

    it('query finds by any field', async () => {
      const { code, out } = await siegel(
        ...['query', '--field', 'data.evidence.isvSvn:2', '--workload', 'ledger', '--all', '--json'],
        ...['--protocol', 'native', '--simulated', 'true', '--mrsigner', hash('sha256', 'signer')],
      );
      expect(code).toBe(0);
      expect(lines(out).map((line) => (JSON.parse(line) as Item).event.id)).toEqual(
        ids.filter((_, i) => i % 2 === 1).reverse(),
      );
    });

    it('query counts', async () => {
      const { code, out } = await siegel(
        'query',
        '--tenant',
        'default',
        '--workload',
        'ledger',
        '--count-by',
        'reason',
      );
      expect(code).toBe(0);
      expect(lines(out).map((line) => line.trim().split(/ +/))).toEqual([
        ['24', 'RELEASE_DENIED'],
        ['6', 'BINDING_MISMATCH'],
        ['30', 'in', 'all'],
      ]);
      const { out: json } = await siegel('query', '--count-by', 'workload', '--bucket', 'day', '--json');
      expect(JSON.parse(json)).toMatchObject({ by: 'workload', bucket: 'day', total: expect.any(Number) });
    });

    it.each(['ndjson', 'csv', 'ocsf'])('query exports %s', async (format) => {
      const { code, out } = await siegel('query', '--workload', 'ledger', '--export', format);
      expect(code).toBe(0);
      expect(lines(out)).toHaveLength(30 + (format === 'csv' ? 1 : 0));
      expect(out).toContain(ids[1]);
      expect(out).not.toContain(ids[0]);
    });

    it('story tells of one enclave', async () => {
      const { code, out } = await siegel('story', '--session', ids[3]!);
      expect(code).toBe(0);
      expect(out).toMatch(/first attestation +\S+Z {2}attestation\.denied/);
      const { out: json } = await siegel('story', '--bound-key', 'k'.repeat(43), '--json');
      expect(JSON.parse(json)).toMatchObject({ summary: { complete: true } });
    });

    it.each([
      [['query', '--export', 'xml'], 1],
      [['query', '--export', 'csv', '--limit', '5'], 2],
      [['query', '--export', 'csv', '--count-by', 'reason'], 2],
      [['query', '--bucket', 'day'], 2],
      [['query', '--count-by', 'nothing'], 1],
      [['query', '--count-by', 'reason', '--all'], 2],
      [['query', '--field', 'data.nothing:1'], 1],
      [['story'], 2],
      [['story', '--mrenclave', other], 2],
      [['story', '--session', 'nobody'], 1],
    ])('refuses %j with %i', async (args, wanted) => {
      const { code, out } = await siegel(...args);
      expect([code, out]).toEqual([wanted, '']);
    });
  });
}
