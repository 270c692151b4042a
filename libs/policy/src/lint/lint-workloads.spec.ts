import { describe, expect, it } from '@jest/globals';
import { compileManifest, lintManifest, parseManifest } from '../index.js';

const E = 'ab'.repeat(32);
const S = 'cd'.repeat(32);
const T = 'ef'.repeat(48);
const codes = (text: string) => lintManifest(text).problems.map(({ code }) => code);
const two = (a: string, b: string) =>
  codes(`siegel: v1
workloads:
  a: { identity: ${a}, certificate: {} }
  b: { identity: ${b}, certificate: {} }
`);

describe('overlaps', () => {
  const signer = (rest: string) => `{ mrsigner: [${S}], isvsvn: 1, ${rest} }`;
  const config = (digit: string) => `configid: ["${digit.repeat(128)}"]`;

  it('are not seen where some field tells two workloads apart', () => {
    expect(two(signer('isvprodid: 1'), signer('isvprodid: [2, 3]'))).toEqual([]);
    expect(two(`{ mrenclave: [${E}], ${config('1')} }`, `{ mrenclave: [${E}], ${config('2')} }`)).toEqual([]);
    expect(two(`{ mrenclave: [${E}] }`, `{ mrenclave: [${S}] }`)).toEqual([]);
  });

  it('are seen where versions alone differ, since a floor admits newer ones', () => {
    const text = `{ mrsigner: [${S}], isvprodid: 1, isvsvn: 9 }`;
    expect(two(signer('isvprodid: 1'), text)).toEqual(['WORKLOADS_OVERLAP']);
    expect(two(`{ mrenclave: [${E}], ${config('1')} }`, `{ mrenclave: [${E}] }`)).toEqual([
      'WORKLOADS_OVERLAP',
    ]);
  });

  it('between two entries of one workload are none', () => {
    expect(two(`[{ mrenclave: [${E}] }, { mrenclave: [${E}], isvsvn: 2 }]`, `{ mrenclave: [${S}] }`)).toEqual(
      [],
    );
  });
});

describe('an accept list of UpToDate alone', () => {
  const manifest = (identity: string, where: 'defaults' | 'workload') => {
    const tcb = 'tcb: { accept: [UpToDate] }';
    const defaults = where === 'defaults' ? `defaults: { ${tcb} }\n` : '';
    const own = where === 'workload' ? `, ${tcb}` : '';
    return codes(
      `siegel: v1\n${defaults}workloads: { w: { identity: ${identity}, certificate: {}${own} } }\n`,
    );
  };
  it('refuses SGX nodes of Azure, but no trust domain', () => {
    for (const where of ['defaults', 'workload'] as const) {
      expect(manifest(`{ mrenclave: [${E}] }`, where)).toEqual(['TCB_REFUSES_AZURE']);
      expect(manifest(`{ mrtd: [${T}], rtmr1: [${T}], rtmr2: [${T}] }`, where)).toEqual([]);
    }
  });
});

describe('a manifest of 1,000 workloads', () => {
  it('is read and compiled in under two seconds of processor time', () => {
    const entry = (i: number) =>
      `  w${i}:\n    identity: { mrenclave: [${i.toString(16).padStart(63, '0')}a] }\n    certificate: { dns: [w${i}.svc] }\n    secrets: [{ vault: v, objectName: P, objectType: secret, as: env }]\n`;
    const text = `siegel: v1\nworkloads:\n${Array.from({ length: 1000 }, (_, i) => entry(i)).join('')}`;
    const started = process.cpuUsage();
    const result = parseManifest(text);
    if (!result.ok) throw new Error(JSON.stringify(result.problems[0]));
    const parsed = process.cpuUsage(started).user / 1000;
    expect(compileManifest(result.manifest).workloads.size).toBe(1000);
    const total = process.cpuUsage(started).user / 1000;
    process.stdout.write(
      `1,000 workloads, ${text.length} bytes: read in ${parsed.toFixed()} ms, compiled in ${(total - parsed).toFixed()} ms\n`,
    );
    expect(total).toBeLessThan(2000);
  });
});
